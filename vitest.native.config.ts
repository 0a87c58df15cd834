import { defineConfig } from 'vitest/config';

/** The engine's tests on the kernels that are built with sanitizers: `npm run test:native`. */
export default defineConfig({
  test: {
    include: [
      'test/engine/{onednn*,gradients,loader,memory}.test.ts',
      'test/golden/{mobilenet,resnet,srem}.test.ts',
      'test/native/**/*.test.ts',
    ],
    setupFiles: ['test/native/sanitized-addon.ts'],
    // The sanitizers are in a process from its start or not at all.
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});
