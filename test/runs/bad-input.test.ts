import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeSafetensors } from '../../src/checkpoint/safetensors.js';
import { ExitCode } from '../../src/errors.js';
import { describeModel } from '../../src/model/layout.js';
import { torchShape } from '../../src/model/torch-order.js';
import { RunDirectory } from '../../src/run/run-directory.js';
import { readEvents } from '../../src/transport/events/run-events.js';
import { runCommandLine } from '../kit/command-line.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
let names = 0;

beforeAll(async () => {
  small = await smallRun();
});
afterAll(() => small.remove());

/** Trains under a fresh name with one worker. */
function train(...settings: string[]) {
  const flags = [`metadata.name=bad-${++names}`, ...settings].flatMap((setting) => ['--set', setting]);
  return runCommandLine(['train', small.runFile, '--workers', '1', ...flags], { cwd: small.folder });
}

/** Whether anything is left of the run that was tried last. */
function leftSomething(): boolean {
  return existsSync(join(small.folder, 'runs', `bad-${names}`));
}

test('a missing data folder', async () => {
  const { exitCode, stderr } = await train('spec.dataset.path=nowhere');
  expect(stderr).toMatch(/^fcaenet: [^\n]*nowhere[^\n]*\n$/);
  expect(exitCode).toBe(ExitCode.missingInput);
});

test.each([
  ['0.jpg', 'the first step'],
  ['32.jpg', 'the first evaluation'],
])('a truncated JPEG ends the run with its name, when a worker meets it: %s in %s', async (name) => {
  const root = await small.copyOfData('truncated');
  const file = join(root, 'images', '001.Kind', name);
  await writeFile(file, (await readFile(file)).subarray(0, 400));
  const { exitCode, stderr } = await train('spec.dataset.path=truncated', 'spec.dataset.sampleSize=32');
  expect(stderr).toMatch(/^fcaenet: [^\n]*001\.Kind\/\d+\.jpg[^\n]*cannot be decoded[^\n]*\n$/);
  expect(exitCode).toBe(ExitCode.badData);
  // Before its first step a run has nothing to go on with; after it there is a checkpoint.
  const directory = RunDirectory.at(join(small.folder, 'runs', `bad-${names}`));
  const failed = { type: 'run.failed', code: 'COORDINATOR_NO_WORKERS' };
  expect([directory.hasBegun, leftSomething()]).toEqual(Array(2).fill(name === '32.jpg'));
  expect(readEvents(directory).slice(-1)).toMatchObject(directory.hasBegun ? [failed] : []);
});

test('an image that is in the list but not there', async () => {
  const root = await small.copyOfData('absent');
  await rm(join(root, 'images', '002.Kind', '1.jpg'));
  const { exitCode, stderr } = await train('spec.dataset.path=absent');
  expect(stderr).toMatch(/^fcaenet: [^\n]*002\.Kind\/1\.jpg[^\n]*\n$/);
  expect(exitCode).toBe(ExitCode.missingInput);
});

test('a misspelt field', async () => {
  const { exitCode, stderr } = await train('spec.schedule.learningrate=0.1');
  expect(stderr).toMatch(/^fcaenet: [^\n]*learningrate[^\n]*learningRate[^\n]*\n$/);
  expect(exitCode).toBe(ExitCode.badConfiguration);
});

test.each([0, 65])('%i bits', async (bits) => {
  const { exitCode, stderr } = await train(`spec.bits=${bits}`);
  expect(stderr).toMatch(new RegExp(`^fcaenet: [^\\n]*spec\\.bits is ${bits}[^\\n]*1 to 64[^\\n]*\\n$`));
  expect(exitCode).toBe(ExitCode.badConfiguration);
});

test('weights of another backbone', async () => {
  const layout = describeModel({ backbone: 'resnet18', width: 1, bits: 12, imageSize: 64 });
  const tensors = Object.fromEntries([
    ...layout.parameters
      .filter(({ role }) => !role.startsWith('hash'))
      .map((spec) => [spec.name, { shape: torchShape(spec), data: new Float32Array(spec.size) }]),
    ...layout.batchNorms.flatMap(({ meanName, varianceName, channels }) =>
      [meanName, varianceName].map((name) => [name, { shape: [channels], data: new Float32Array(channels) }]),
    ),
  ]);
  await writeFile(join(small.folder, 'resnet18.safetensors'), Buffer.concat(encodeSafetensors(tensors, {})));
  const { exitCode, stderr } = await train('spec.model.weights=resnet18.safetensors');
  expect(stderr).toMatch(
    /^fcaenet: [^\n]*resnet18\.safetensors[^\n]*ResNet-?18[^\n]*expected MobileNet[^\n]*\n$/i,
  );
  expect(exitCode).toBe(ExitCode.badData);
  expect(leftSomething()).toBe(false);
});

test.each([
  ['spec.operation.listen', 'workers'],
  ['spec.operation.metrics', 'metrics'],
])('a port in use: %s', async (setting) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  try {
    const { exitCode, stderr } = await train(`${setting}=127.0.0.1:${port}`);
    expect(stderr).toMatch(
      new RegExp(`^fcaenet: [^\\n]*port ${port}[^\\n]*in use[^\\n]*${setting}[^\\n]*\\n$`),
    );
    expect(exitCode).toBe(ExitCode.unavailable);
    expect(leftSomething()).toBe(false);
  } finally {
    server.close();
  }
});

test('an address that others can reach, without certificates', async () => {
  const { exitCode, stderr } = await train('spec.operation.listen=0.0.0.0:0');
  expect(stderr).toMatch(/^fcaenet: [^\n]*0\.0\.0\.0:0[^\n]*loopback[^\n]*fcaenet certs make[^\n]*\n$/);
  expect(exitCode).toBe(ExitCode.badConfiguration);
  expect(leftSomething()).toBe(false);
});

test('no coordinator where the worker was told to look', async () => {
  const { exitCode, stderr } = await runCommandLine(
    ['worker', '--connect', '127.0.0.1:1', '--data', 'data', '--connect-timeout', '1'],
    { cwd: small.folder },
  );
  expect(stderr).toMatch(/^fcaenet: [^\n]*no coordinator[^\n]*127\.0\.0\.1:1[^\n]*\n$/i);
  expect(exitCode).toBe(ExitCode.unavailable);
});
