// Builds the native kernels with AddressSanitizer and UndefinedBehaviorSanitizer and runs the engine's tests on them.
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { buildNative } from './build-native.mjs';
import { root } from './lib.mjs';

const { addon } = await buildNative({ sanitize: true, log: console.log });
// The sanitizers must be there before Node is: they take the place of its allocator, from which the arrays of tensors come.
const libraries = ['libasan.so', 'libubsan.so'].map((name) =>
  execFileSync('g++', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim(),
);
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
const args = [vitest, 'run', '--config', 'vitest.native.config.ts', ...process.argv.slice(2)];
const { status } = spawnSync(process.execPath, args, {
  cwd: root,
  stdio: 'inherit',
  env: {
    ...process.env,
    FCAENET_SANITIZED_ADDON: addon,
    LD_PRELOAD: libraries.join(' '),
    // Node itself leaves memory to the system when it ends, so leaks are not looked for.
    ASAN_OPTIONS: 'detect_leaks=0:halt_on_error=1',
    UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
  },
});
process.exit(status ?? 1);
