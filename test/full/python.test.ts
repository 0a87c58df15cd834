import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { disk } from '../../src/disk/disk.js';
import { codeBytes } from '../../src/formats/code-bytes.js';
import { encodeNpy } from '../../src/formats/npy.js';
import { unpackCodes } from '../../src/hashing/codes.js';
import { TrainedNetwork } from '../../src/inference/trained-network.js';
import { readTrainedRun } from '../../src/inference/trained-run.js';
import { runCommandLine } from '../kit/command-line.js';
import { blocks } from '../kit/pages.js';
import { runPython, withoutPackages, withoutTorch } from '../kit/python.js';

/** The programs of the page, each with what must be there for it. */
const programs = blocks('python')
  .filter(([page]) => page === 'docs/python.md')
  .map(([, program]) => ({ program, without: program.includes('torch') ? withoutTorch : withoutPackages }));

let folder: string;
const inFolder = (...path: string[]) => join(folder, ...path);

async function command(...args: string[]): Promise<void> {
  const { exitCode, stderr } = await runCommandLine(args, { cwd: folder });
  expect([exitCode, stderr]).toEqual([0, '']);
}

/** Runs a program, which prints JSON in its last line. */
async function answer(program: string, ...args: string[]): Promise<unknown> {
  const { exitCode, stdout, stderr } = await runPython(program, args, folder);
  expect([exitCode, stderr]).toEqual([0, '']);
  return JSON.parse(stdout.trim().split('\n').at(-1)!);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fcaenet-python-'));
  await command('dataset', 'make', 'data/synthetic', '--species', '4', '--train', '8', '--test', '4');
  for (const [name, backbone, method] of [
    ['quick', 'mobilenet_v1', 'fcaenet'],
    ['resnet', 'resnet18', 'fcaenet'],
    ['fph', 'mobilenet_v1', 'fph'],
    ['dash', 'mobilenet_v1', 'dash'],
    ['exchnet', 'mobilenet_v1', 'exchnet'],
    ['exchnet-resnet', 'resnet18', 'exchnet'],
  ] as const) {
    const run = {
      apiVersion: 'fcaenet.dev/v1',
      kind: 'TrainingRun',
      metadata: { name },
      spec: {
        preset: 'quick',
        method,
        bits: 12,
        dataset: { path: 'data/synthetic', sampleSize: 16 },
        model: { backbone, ...(backbone === 'resnet18' && { width: 1 }) },
        schedule: { iterations: 1, epochs: 1, batchSize: 16, microbatches: 2, decayAfter: [] },
        operation: { metrics: 'off', tensorboard: 'logs', cache: { directory: 'cache' } },
      },
    };
    writeFileSync(inFolder(`${name}.yaml`), stringify(run));
    await command('train', `${name}.yaml`, '--workers', '1');
    await command('export', `runs/${name}`, '--format', 'npy,faiss,onnx,torch,safetensors');
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('docs/python.md', () => {
  test('has programs', () => expect(programs.length).toBeGreaterThanOrEqual(6));

  for (const [index, { program, without }] of programs.entries()) {
    test.skipIf(without)(`program ${index + 1} runs${without}`, async () => {
      const { exitCode, stdout, stderr } = await runPython(program, [], folder);
      expect([exitCode, stderr]).toEqual([0, '']);
      expect(stdout).not.toBe('');
    });
  }
});

describe.each(['quick', 'resnet', 'fph', 'dash', 'exchnet', 'exchnet-resnet'])(
  'the network of %s',
  (name) => {
    test.skipIf(withoutPackages)(`has the bits of fcaenet in ONNX Runtime${withoutPackages}`, async () => {
      const run = await readTrainedRun(inFolder('runs', name));
      const network = await TrainedNetwork.load(run);
      const pictures = JSON.parse(readFileSync(inFolder('runs', name, 'pictures.json'), 'utf8'));
      const paths = [...pictures.train.paths, ...pictures.test.paths] as string[];
      const files = await Promise.all(
        paths.map(async (path) => ({
          name: path,
          bytes: await disk.readFile(inFolder('data/synthetic/images', path)),
        })),
      );
      const pixels = await network.pixelsOf(files);
      const { u } = await network.outputs(pixels, files.length);
      network.dispose();
      const { height, width, bits } = run.layout;
      const write = (file: string, pieces: Uint8Array[]) =>
        writeFileSync(inFolder(file), Buffer.concat(pieces));
      write(`${name}-pixels.npy`, encodeNpy(pixels, [files.length, height, width, 3]));
      write(`${name}-u.npy`, encodeNpy(u, [files.length, bits]));
      const checked = await answer(onnxCheck, name);
      expect(checked).toMatchObject({ count: files.length * bits, inputs: ['n', 3, height, width] });
      expect((checked as { equal: number }).equal).toBeGreaterThanOrEqual(0.999);
      expect((checked as { difference: number }).difference).toBeLessThan(1e-4);
    });
  },
);

describe.each([
  ['quick', 'runs/quick'],
  ['resnet', 'runs/resnet'],
  ['fph', 'runs/{method}'],
  ['dash', 'runs/{method}'],
  ['exchnet', 'runs/{method}'],
])('the network of %s', (name, place) => {
  test.skipIf(withoutTorch)(`is the same in PyTorch, by the program of the page${withoutTorch}`, async () => {
    const { program } = programs.find((each) => each.program.includes(`${place}/export/network.pt`))!;
    const checked = await answer(`${program}\n${torchCheck}`, name);
    expect(checked).toMatchObject({ safetensorsAreEqual: true });
    expect((checked as { difference: number }).difference).toBeLessThan(1e-4);
  });
});

const onnxCheck = `
import json, sys
import numpy as np, onnxruntime
name = sys.argv[1]
network = onnxruntime.InferenceSession(f"runs/{name}/export/network.onnx")
pixels, u = np.load(f"{name}-pixels.npy"), np.load(f"{name}-u.npy")
images = (pixels.astype(np.float32) / 255).transpose(0, 3, 1, 2)
found, bits = network.run(["u", "bits"], {"images": images})
print(json.dumps({
    "count": int(bits.size),
    "inputs": network.get_inputs()[0].shape,
    "equal": float((bits == (u >= 0)).mean()),
    "difference": float(np.abs(found - u).max()),
}))
`;

/**
 * Continues a program of the page, which has made `network`, for a ResNet `mean` and `deviation`, and for other methods their
 * module.
 */
const torchCheck = `
import json, sys
import numpy as np
from safetensors.torch import load_file
name = sys.argv[1]
state = torch.load(f"runs/{name}/export/network.pt", weights_only=True)
other = load_file(f"runs/{name}/export/network.safetensors")
if name in ["fph", "dash", "exchnet"]:
    network = Network(state).eval()
pixels = torch.from_numpy(np.load(f"{name}-pixels.npy")).permute(0, 3, 1, 2).float() / 255
with torch.no_grad():
    found = torch.tanh(network((pixels - mean) / deviation)) if name == "resnet" else network(2 * pixels - 1)
print(json.dumps({
    "safetensorsAreEqual": state.keys() == other.keys() and all(torch.equal(state[key], other[key]) for key in state),
    "difference": float(np.abs(found.numpy() - np.load(f"{name}-u.npy")).max()),
}))
`;

test.skipIf(withoutPackages)(`FAISS finds the distances of fcaenet${withoutPackages}`, async () => {
  const { databaseCodes, databaseSize, spec, queryCodes } = await readTrainedRun(inFolder('runs/quick'));
  const { bits } = spec;
  const database = unpackCodes(databaseCodes, databaseSize, bits);
  const queries = queryCodes!.length / bits;
  const distance = (query: number, image: number) =>
    Array.from({ length: bits }).filter(
      (_, bit) => queryCodes![query * bits + bit] !== database[image * bits + bit],
    ).length;
  const expected = Array.from({ length: queries }, (_, query) =>
    Array.from({ length: databaseSize }, (_, image) => distance(query, image)).sort((a, b) => a - b),
  );
  const found = await answer(`
import json
import faiss, numpy as np
index = faiss.read_index_binary("runs/quick/export/database.faiss")
distances, _ = index.search(np.load("runs/quick/export/queries.codes.npy"), index.ntotal)
print(json.dumps(distances.tolist()))
`);
  expect(found).toEqual(expected);
  const bytes = Buffer.from(codeBytes(database, bits));
  expect(readFileSync(inFolder('runs/quick/export/database.faiss')).subarray(33)).toEqual(bytes);
});

test.skipIf(withoutPackages)(`TensorBoard reads the scalars of a run${withoutPackages}`, async () => {
  const { steps, mAP, history } = JSON.parse(readFileSync(inFolder('runs/quick/result.json'), 'utf8'));
  const { losses, learningRate } = history[0];
  const total = Object.values(losses as Record<string, number>).reduce((sum, loss) => sum + loss, 0);
  const found = await answer(`
import json
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator("logs/quick")
events.Reload()
scalars = {tag: [[each.step, each.value] for each in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
print(json.dumps(scalars))
`);
  expect(found).toMatchObject({
    'loss/total': [[steps, expect.closeTo(total, 1)]],
    learning_rate: [[steps, expect.closeTo(learningRate, 6)]],
    'evaluation/mAP': [[steps, expect.closeTo(mAP, 5)]],
  });
});
