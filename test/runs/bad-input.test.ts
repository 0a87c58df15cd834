import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeSafetensors } from '../../src/checkpoint/safetensors.js';
import { ExitCode } from '../../src/errors.js';
import { describeModel } from '../../src/model/layout.js';
import { torchShape } from '../../src/model/torch-order.js';
import { RunDirectory } from '../../src/run/run-directory.js';
import { readEvents } from '../../src/transport/events/run-events.js';
import { jpegPicture } from '../data/pictures.js';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
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

/** A copy of the dataset, to be damaged. */
async function copyOfData(name: string): Promise<string> {
  await cp(join(small.folder, 'data'), join(small.folder, name), { recursive: true });
  return join(small.folder, name);
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
  const root = await copyOfData('truncated');
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
  const root = await copyOfData('absent');
  await rm(join(root, 'images', '002.Kind', '1.jpg'));
  const { exitCode, stderr } = await train('spec.dataset.path=absent');
  expect(stderr).toMatch(/^fcaenet: [^\n]*002\.Kind\/1\.jpg[^\n]*\n$/);
  expect(exitCode).toBe(ExitCode.missingInput);
});

test('a class with one image trains, with one warning', async () => {
  const root = await copyOfData('lone');
  await mkdir(join(root, 'images', '005.Lone'));
  await writeFile(join(root, 'images', '005.Lone', 'x.jpg'), await jpegPicture(7));
  for (const [file, line] of [
    ['images.txt', '45 005.Lone/x.jpg\n'],
    ['image_class_labels.txt', '45 5\n'],
    ['train_test_split.txt', '45 1\n'],
    ['classes.txt', '5 005.Lone\n'],
  ] as const) {
    await writeFile(join(root, file), (await readFile(join(root, file), 'utf8')) + line);
  }
  const { exitCode, stderr, lines } = await train(
    'spec.dataset.path=lone',
    'spec.dataset.sampleSize=33',
    'spec.schedule.batchSize=17',
    'spec.schedule.iterations=1',
    'spec.schedule.decayAfter=[]',
  );
  expect(stderr).toBe('');
  expect(exitCode).toBe(0);
  const warnings = lines.filter(({ level, classes }) => level === 'warn' && classes !== undefined);
  expect(warnings).toMatchObject([{ classes: ['005.Lone'], count: 1 }]);
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

test('a resume that cannot start leaves the run as it was', async () => {
  const name = `bad-${++names}`;
  const settings = ['--set', `metadata.name=${name}`, '--set', 'spec.schedule.iterations=1'];
  const decay = ['--set', 'spec.schedule.decayAfter=[]'];
  const command = ['train', small.runFile, '--workers', '1', ...settings, ...decay];
  const stopped = new CommandLine(command, { cwd: small.folder });
  await stopped.line('waiting for workers');
  stopped.kill('SIGTERM');
  expect((await stopped.ended).exitCode).toBe(ExitCode.interrupted);
  const runFile = join(small.folder, 'runs', name, 'run.yaml');
  const before = await readFile(runFile, 'utf8');
  const exposed = ['--set', 'spec.operation.listen=0.0.0.0:0'];
  const { exitCode } = await runCommandLine([...command, ...exposed, '--resume'], { cwd: small.folder });
  expect(exitCode).toBe(ExitCode.badConfiguration);
  expect(await readFile(runFile, 'utf8')).toBe(before);
});

test('an address that others can reach, without certificates', async () => {
  const { exitCode, stderr } = await train('spec.operation.listen=0.0.0.0:0');
  expect(stderr).toMatch(/^fcaenet: [^\n]*0\.0\.0\.0:0[^\n]*loopback[^\n]*fcaenet certs make[^\n]*\n$/);
  expect(exitCode).toBe(ExitCode.badConfiguration);
  expect(leftSomething()).toBe(false);
});

test('a worker with another dataset is refused with both fingerprints, and the run goes on', async () => {
  const root = await copyOfData('other');
  await writeFile(join(root, 'images', '001.Kind', '0.jpg'), await jpegPicture(99, 44));
  const short = ['metadata.name=guarded', 'spec.schedule.iterations=1', 'spec.schedule.decayAfter=[]'];
  const coordinator = new CommandLine(
    ['coordinator', small.runFile, ...short.flatMap((setting) => ['--set', setting])],
    { cwd: small.folder },
  );
  const { address } = await coordinator.line('waiting for workers');
  const worker = (data: string) =>
    runCommandLine(['worker', '--connect', String(address), '--data', data, '--cache', 'cache'], {
      cwd: small.folder,
    });
  const { exitCode, stderr } = await worker('other');
  expect(stderr).toMatch(
    /^fcaenet: [^\n]*refused[^\n]*dataset has fingerprint [0-9a-f]{12}…, the run's [0-9a-f]{12}…[^\n]*\n$/,
  );
  expect(exitCode).toBe(ExitCode.badConfiguration);
  expect((await worker('data')).exitCode).toBe(0);
  expect((await coordinator.ended).exitCode).toBe(0);
});

test('no coordinator where the worker was told to look', async () => {
  const { exitCode, stderr } = await runCommandLine(
    ['worker', '--connect', '127.0.0.1:1', '--data', 'data', '--connect-timeout', '1'],
    { cwd: small.folder },
  );
  expect(stderr).toMatch(/^fcaenet: [^\n]*no coordinator[^\n]*127\.0\.0\.1:1[^\n]*\n$/i);
  expect(exitCode).toBe(ExitCode.unavailable);
});
