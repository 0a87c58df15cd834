import { afterEach, expect, test } from 'vitest';
import { CoordinatorServer } from '../../src/coordinator/admission/server.js';
import { WorkerPool } from '../../src/coordinator/dispatch/pool.js';
import { readTrainingRun } from '../../src/run/read.js';
import { admissionOf } from '../kit/admission.js';
import { ScriptedWorker } from '../kit/scripted-worker.js';

const a100 = { deviceModel: 'NVIDIA A100-SXM4-80GB', computeCapability: '8.0', driverVersion: '550.54.15' };
const h100 = { ...a100, deviceModel: 'NVIDIA H100 80GB HBM3', computeCapability: '9.0' };

const workers: ScriptedWorker[] = [];
let server: CoordinatorServer;
let pool: WorkerPool;
let address: string;
let warnings: unknown[][];

async function open(...settings: string[]): Promise<void> {
  const run = readTrainingRun(
    'examples/quick.yaml',
    settings.map((setting) => `spec.operation.${setting}`),
  );
  pool = new WorkerPool();
  warnings = [];
  const log = { info: () => {}, warn: (...line: unknown[]) => void warnings.push(line), error: () => {} };
  const protection = { tls: null, joinToken: null };
  server = new CoordinatorServer({
    admission: admissionOf(run),
    pool,
    log,
    onIdentity: () => {},
    protection,
  });
  address = await server.listen('127.0.0.1:0');
}
afterEach(async () => {
  for (const scripted of workers.splice(0)) scripted.leave();
  await server.close({ reason: 'the test is over' });
});

async function joining(changed: object): Promise<ScriptedWorker> {
  const scripted = new ScriptedWorker(address);
  workers.push(scripted);
  await scripted.join(changed);
  return scripted;
}

test.each([
  ['with another GPU', h100, 'NVIDIA H100 80GB HBM3'],
  ['on processors', {}, 'no GPU'],
])(
  'a worker %s is refused by the models that the run takes, also as the first',
  async (_, changed, device) => {
    await open('membership.deviceModels=[a100]', 'exactness=best-effort');
    expect(await (await joining(changed)).next('refusal')).toEqual({
      code: 'DEVICE_MODEL',
      message: `this worker computes on ${device}, but spec.operation.membership.deviceModels takes only a100`,
    });
    await (await joining(a100)).next('admitted');
    expect(pool.admitted()).toHaveLength(1);
  },
);

const differences = [
  'deviceModel is NVIDIA H100 80GB HBM3, expected NVIDIA A100-SXM4-80GB',
  'computeCapability is 9.0, expected 8.0',
];

test('a fleet of A100 and H100 is refused under strict, with both named', async () => {
  await open();
  await (await joining(a100)).next('admitted');
  const { code, message } = await (await joining(h100)).next('refusal');
  expect(code).toBe('NUMERICAL_IDENTITY');
  expect(message).toContain(`this worker would not compute the run's bits: ${differences.join(', ')}; `);
  expect(pool.admitted()).toHaveLength(1);
});

test('the same fleet is admitted under best-effort, with a warning', async () => {
  await open('exactness=best-effort');
  await (await joining(a100)).next('admitted');
  await (await joining(h100)).next('admitted');
  expect(warnings).toContainEqual([
    'worker admitted under best-effort exactness',
    expect.objectContaining({ differences }),
  ]);
  expect(pool.admitted()).toHaveLength(2);
});
