import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { builtAddonPath } from '../../src/engine/onednn/addon.js';
import { sharedProcessors } from '../../src/processes/worker-processes.js';

const start = `require(${JSON.stringify(builtAddonPath)}).start(1);
process.stdout.write(require('fs').readFileSync('/proc/thread-self/status'));`;

/** The processors that a thread may run on, as /proc says it. */
function processorsIn(status: string): string {
  return /^Cpus_allowed_list:\s+(.*)$/m.exec(status)![1]!;
}

test('a worker may run on every processor that its coordinator may, whatever OpenMP was told', () => {
  const bound = { ...process.env, OMP_PROC_BIND: 'true', GOMP_CPU_AFFINITY: '0' };
  const status = execFileSync(process.execPath, ['-e', start], {
    encoding: 'utf8',
    env: { ...bound, ...sharedProcessors },
  });
  expect(processorsIn(status)).toBe(processorsIn(readFileSync('/proc/thread-self/status', 'utf8')));
});
