import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { EncoderProcesses, type EncoderProcessesOptions } from '../../src/inference/encoder-processes.js';
import { encodingDevices } from '../../src/inference/encoding-devices.js';
import { findDevices } from '../../src/machine/devices/find.js';
import { readTrainingRun } from '../../src/run/read.js';
import { failure } from '../kit/failure.js';
import { FakeMachine, fakeDevice } from '../kit/fake-machine.js';

/** Answers with the lengths of names, and does what else a name says. */
const fakeProgram = `
process.once('disconnect', () => process.exit());
process.on('message', (request) => {
  if (request.kind === 'load') {
    const failed = { kind: 'failed', id: null, code: 'INFERENCE_NO_RUN', message: 'no run', exitCode: 66 };
    return process.send(request.checkpoint === 'none' ? failed : { kind: 'ready', engine: 'fake', differences: ['a'] });
  }
  const { id, pictures } = request;
  if (pictures.includes('crash')) process.kill(process.pid, 'SIGKILL');
  if (pictures.includes('hang')) return;
  if (pictures.includes('broken')) {
    return process.send({ kind: 'failed', id, code: 'DATASET_IMAGE_DAMAGED', message: 'broken', exitCode: 65 });
  }
  if (pictures.includes('device')) {
    const own = JSON.parse(process.env.FCAENET_DEVICES ?? '{"devices":[]}').devices;
    const isShown = own.length === 1 && own[0].uuid === process.env.CUDA_VISIBLE_DEVICES;
    // The other process has the next request.
    return setTimeout(() => process.send({ kind: 'codes', id, codes: Uint32Array.of(isShown ? own[0].index : 99) }), 200);
  }
  process.send({ kind: 'codes', id, codes: Uint32Array.from(pictures, ({ length }) => length) });
});`;

let folder: string;
let encoder: EncoderProcesses | null = null;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fcaenet-encoders-'));
  await writeFile(join(folder, 'fake.mjs'), fakeProgram);
});
afterEach(async () => {
  await encoder?.close();
  encoder = null;
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function open(changed: Partial<EncoderProcessesOptions> = {}) {
  const opened = await EncoderProcesses.open({
    ...{ runDirectory: 'runs/x', checkpoint: 'c', engine: null, processes: 1, devices: [], mostPixels: null },
    ...{ timeoutMs: null, restarts: false, program: join(folder, 'fake.mjs') },
    ...changed,
  });
  encoder = opened.encoder;
  return opened;
}

test('several processes answer all requests, and a picture that fails ends nothing else', async () => {
  const { encoder, engine, differences } = await open({ processes: 2 });
  expect([engine, differences, encoder.requests]).toEqual(['fake', ['a'], 4]);
  const requests = Array.from({ length: 9 }, (_, i) => encoder.encode(['x'.repeat(i + 1)]));
  const broken = encoder.encode(['broken']);
  await expect(broken).rejects.toEqual(failure('DATASET_IMAGE_DAMAGED', 'broken'));
  expect(await Promise.all(requests)).toEqual(Array.from({ length: 9 }, (_, i) => Uint32Array.of(i + 1)));
});

test('each process has a GPU of its own, also when it is started again, and none where processors compute', async () => {
  const { encoder } = await open({
    processes: 3,
    devices: [fakeDevice(4), fakeDevice(6)],
    restarts: true,
  });
  const indexes = async () => {
    const answers = await Promise.all(Array.from({ length: 3 }, () => encoder.encode(['device'])));
    return answers.map(([index]) => index).sort();
  };
  expect(await indexes()).toEqual([4, 4, 6]);
  await Promise.allSettled(Array.from({ length: 3 }, () => encoder.encode(['crash'])));
  await vi.waitFor(async () => expect(await indexes()).toEqual([4, 4, 6]), { timeout: 20_000 });
  await encoder.close();
  const { encoder: other } = await open();
  expect(await other.encode(['device'])).toEqual(Uint32Array.of(99));
});

test('the GPUs are those on which the engine of the run, or another, computes', async () => {
  const machine = new FakeMachine({ gpus: [{}, {}] });
  onTestFinished(() => machine.remove());
  const installed = join(machine.folder, 'node_modules', '@tensorflow', 'tfjs-node-gpu');
  await mkdir(join(installed, 'lib', 'napi-v8'), { recursive: true });
  await writeFile(join(installed, 'package.json'), '{}');
  await writeFile(join(installed, 'lib', 'napi-v8', 'tfjs_binding.node'), '');
  const search = { packages: join(machine.folder, 'any.js'), devices: () => findDevices(machine.search) };
  const { spec } = readTrainingRun('examples/quick.yaml');
  const found = await encodingDevices({ spec }, undefined, search);
  expect(found.map(({ index }) => index)).toEqual([0, 1]);
  expect(await encodingDevices({ spec }, 'onednn', search)).toEqual([]);
});

test('a network that cannot be loaded', async () => {
  await expect(open({ checkpoint: 'none' })).rejects.toEqual(failure('INFERENCE_NO_RUN', 'no run'));
});

test('a process that ends: its request fails, and so does every later one', async () => {
  const { encoder } = await open();
  const ended = failure(
    'INFERENCE_PROCESS_ENDED',
    'a process that encodes pictures was ended by SIGKILL, before it answered',
  );
  await expect(encoder.encode(['crash'])).rejects.toEqual(ended);
  await expect(encoder.encode(['more'])).rejects.toEqual(ended);
});

test('a process that is started again answers later requests', async () => {
  const { encoder } = await open({ restarts: true });
  await expect(encoder.encode(['crash'])).rejects.toEqual(
    failure('INFERENCE_PROCESS_ENDED', /before it answered$/),
  );
  expect(encoder.isReady).toBe(false);
  await vi.waitFor(() => expect(encoder.isReady).toBe(true), { timeout: 20_000 });
  expect(await encoder.encode(['four'])).toEqual(Uint32Array.of(4));
});

test('a picture that takes too long ends its process, and a request does not wait for ever', async () => {
  const { encoder } = await open({ timeoutMs: 300, restarts: true });
  const asked = ['hang', 'hang', 'x'].map((name) =>
    encoder.encode([name]).catch((error: Error) => error.message),
  );
  const tooLong = 'a picture was not encoded within 0.3 s, so its process was ended';
  expect(await Promise.all(asked)).toEqual([
    tooLong,
    tooLong,
    'no process was free to encode a picture within 0.3 s',
  ]);
  await expect(encoder.encode(['x'])).rejects.toEqual(
    failure('INFERENCE_TIMEOUT', /^no process was free to encode/),
  );
});
