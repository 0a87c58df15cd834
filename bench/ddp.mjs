// Images per second of a whole run, a coordinator and two workers of one thread over gRPC, against PyTorch's
// DistributedDataParallel over gloo with two processes of one thread: the same network, batch and image size, in one
// interleaved run. Ours trains by the method `baseline` on pictures from the cache; PyTorch has one batch in memory.
// Needs a Python (PYTHON, or /usr/bin/python3) with PyTorch. On a busy machine the ratio by the processors' time is the one
// to trust.
// usage: npm run bench:ddp [-- NETWORK...]
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runBenchmark } from './kit/options.mjs';
import { fcaenet, pausedRun } from './kit/paused-run.mjs';
import { requirePython } from './kit/python.mjs';
import { median, spread, writeReport } from './kit/report.mjs';
import { stepper } from './kit/stepper.mjs';

const here = import.meta.dirname;
const python = process.env.PYTHON ?? '/usr/bin/python3';
const workers = 2;
const rounds = 5;
const secondsPerTurn = 4;
const cases = [
  { network: 'resnet18', batch: 16, size: 64 },
  { network: 'mobilenet_v1', batch: 32, size: 128 },
];

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** @param {{ network: string, batch: number, size: number }} one `batch` is that of each worker */
async function compare({ network, batch, size }, folder, data) {
  const ours = await pausedRun(folder, {
    method: 'baseline',
    bits: 48,
    dataset: { path: data, sampleSize: 4 * workers * batch },
    model: {
      backbone: network,
      imageSize: size,
      weights: null,
      ...(network === 'mobilenet_v1' ? { width: 0.25 } : {}),
    },
    schedule: {
      iterations: 1,
      epochs: 100_000,
      batchSize: workers * batch,
      microbatches: workers,
      learningRate: 1e-6,
      decayAfter: [],
    },
  });
  const theirs = await stepper(
    python,
    [join(here, 'pytorch_ddp.py'), network, String(batch), String(size), String(await freePort())],
    { OMP_NUM_THREADS: '1', OMP_WAIT_POLICY: 'PASSIVE' },
  );
  await ours.run(secondsPerTurn);
  await theirs.run(2);
  const steps = Math.max(1, Math.round((secondsPerTurn * 3) / (await theirs.run(3)).clock));
  const turns = [];
  for (let round = 0; round < rounds; round++) {
    turns.push({ ours: await ours.run(secondsPerTurn), theirs: { ...(await theirs.run(steps)), steps } });
  }
  theirs.end();
  await ours.end();
  const speeds = (side, time) => turns.map((turn) => (workers * batch * turn[side].steps) / turn[side][time]);
  const ratios = (time) => {
    const theirSpeeds = speeds('theirs', time);
    return speeds('ours', time).map((speed, round) => speed / theirSpeeds[round]);
  };
  return {
    network,
    batch,
    size,
    imagesPerSecond: median(speeds('ours', 'clock')),
    pytorchImagesPerSecond: median(speeds('theirs', 'clock')),
    ratios: ratios('clock'),
    processorRatios: ratios('processor'),
    pytorch: theirs.about,
  };
}

await runBenchmark(async () => {
  requirePython(python, 'PyTorch (Debian: python3-torch)', 'torch.distributed');
  const wanted = process.argv.slice(2);
  const folder = mkdtempSync(join(tmpdir(), 'fcaenet-bench-'));
  const results = [];
  try {
    const data = join(folder, 'data');
    await fcaenet(
      'dataset',
      'make',
      data,
      '--species',
      '10',
      '--train',
      '30',
      '--test',
      '1',
      '--size',
      '128',
    );
    for (const one of cases.filter(({ network }) => !wanted.length || wanted.includes(network))) {
      const ownFolder = mkdtempSync(join(folder, 'run-'));
      const result = await compare(one, ownFolder, data);
      results.push(result);
      console.log(
        `${one.network}@${one.size}, ${workers} × b${one.batch}: ${result.imagesPerSecond.toFixed(1)} images/s, ` +
          `PyTorch DDP ${result.pytorchImagesPerSecond.toFixed(1)}, ratio ${spread(result.ratios)}, ` +
          `by processor time ${spread(result.processorRatios)}`,
      );
    }
    writeReport('ddp', { results });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
