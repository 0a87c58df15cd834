import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import type { GpuDevice } from '../../src/machine/devices/device.js';
import { noIdleCollections } from '../../src/machine/garbage-collection.js';
import { machineResources } from '../../src/machine/resources.js';
import { placesOn } from '../../src/processes/plan.js';
import { type WorkerEnding, WorkerProcesses } from '../../src/processes/worker-processes.js';
import { fakeDevice, fakeUuid } from '../kit/fake-machine.js';

const folder = mkdtempSync(join(tmpdir(), 'fcaenet-processes-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs workers that do at their start what `script` says, until none is left and none will be restarted. */
async function runUntilIdle(devices: readonly GpuDevice[], script: string) {
  const file = join(folder, `${lines}.cjs`);
  lines++;
  writeFileSync(file, script);
  const log: [string, Record<string, unknown>][] = [];
  const note = (message: string, fields: object = {}) => void log.push([message, { ...fields }]);
  const started = performance.now();
  const ending = await new Promise<WorkerEnding>((resolve) => {
    new WorkerProcesses({
      places: placesOn(devices),
      startOf: (name) => ({
        flags: ['--connect', '127.0.0.1:9', '--data', folder, '--name', name],
        environment: { NODE_OPTIONS: `--require ${file}` },
        descriptors: [],
        onEnd: () => {},
      }),
      output: 'ignore',
      restartMs: 20,
      log: { info: note, warn: note, error: note },
      onIdle: resolve,
    });
  });
  const of = (wanted: string) => log.flatMap(([message, fields]) => (message === wanted ? [fields] : []));
  return { ending, of, ms: performance.now() - started };
}
let lines = 0;

const failing = `require('fs').writeSync(2, 'CUDA_ERROR_LAUNCH_FAILED: unspecified launch failure\\n'); process.abort();`;
const named = (index: number) => `GPU ${index} (NVIDIA A100-SXM4-80GB, ${fakeUuid(index)})`;

test('a GPU on which every worker fails is given up after some restarts with growing waits', async () => {
  const { ending, of, ms } = await runUntilIdle([fakeDevice(0)], failing);
  expect(of('worker started on a GPU')).toHaveLength(4);
  expect(ms).toBeGreaterThan(20 + 80 + 320);
  const sentence = `${named(0)} failed: CUDA reports CUDA_ERROR_LAUNCH_FAILED ("CUDA_ERROR_LAUNCH_FAILED: unspecified launch failure"); if it fails again, look at the kernel log for its Xid`;
  expect(of('GPU given up')).toEqual([{ device: named(0), starts: 4, sentence }]);
  expect(ending).toEqual({ exitCode: 1, how: 'killed by SIGABRT', sentence });
});

test('a GPU that is lost gets no second worker, and the other one goes on', async () => {
  const script = `if (process.env.CUDA_VISIBLE_DEVICES === '${fakeUuid(0)}') {
    require('fs').writeSync(2, 'GPU is lost.\\n');
    process.abort();
  }
  process.exit(0);`;
  const { of } = await runUntilIdle([fakeDevice(0), fakeDevice(1)], script);
  expect(of('worker started on a GPU').map(({ place }) => place)).toEqual([0, 1]);
  expect(of('GPU given up')).toMatchObject([{ device: named(0), starts: 1 }]);
});

test('a worker is killed by something else than its GPU: its own last line is the sentence', async () => {
  const script = `require('fs').writeSync(2, 'fcaenet: something else.\\n'); process.kill(process.pid, 'SIGKILL');`;
  const { ending } = await runUntilIdle([fakeDevice(0)], script);
  expect(ending).toEqual({ exitCode: null, how: 'killed by SIGKILL', sentence: 'something else.' });
});

test('workers and the program itself start without collections of garbage by the clock', async () => {
  const file = join(folder, 'arguments.json');
  await runUntilIdle(
    [fakeDevice(0)],
    `require('fs').writeFileSync('${file}', JSON.stringify(process.execArgv)); process.exit(0);`,
  );
  expect(JSON.parse(readFileSync(file, 'utf8'))).toContain(noIdleCollections);
  expect(readFileSync('src/cli.ts', 'utf8').split('\n')[0]).toMatch(
    new RegExp(` node ${noIdleCollections}$`),
  );
});

test('workers on GPUs start with threads to decode on, or with as many as the user says', async () => {
  const file = join(folder, 'threads');
  const script = `require('fs').appendFileSync('${file}', process.env.UV_THREADPOOL_SIZE + ' '); process.exit(0);`;
  await runUntilIdle([fakeDevice(0)], script);
  vi.stubEnv('UV_THREADPOOL_SIZE', '9');
  await runUntilIdle([fakeDevice(0)], script);
  vi.unstubAllEnvs();
  expect(readFileSync(file, 'utf8')).toBe(`${Math.max(4, machineResources().processors)} 9 `);
});
