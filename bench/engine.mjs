// Training images per second (forward, backward, SGD) and peak memory of the engine `onednn` against PyTorch, on one thread
// and on two, in one interleaved run. Needs a Python (PYTHON, or /usr/bin/python3) with PyTorch. On a busy machine the ratio
// by the processor's time is the one to trust.
// usage: npm run bench:engine [-- NETWORK...] [--threads=1,2]
import { join } from 'node:path';
import { optionsOf, runBenchmark } from './kit/options.mjs';
import { requirePython } from './kit/python.mjs';
import { median, spread, writeReport } from './kit/report.mjs';
import { stepper } from './kit/stepper.mjs';

const here = import.meta.dirname;
const python = process.env.PYTHON ?? '/usr/bin/python3';
const rounds = 5;
const secondsPerTurn = 1;
const cases = [
  { network: 'mobilenet_v1', batch: 32, size: 128 },
  { network: 'resnet18', batch: 16, size: 64 },
  { network: 'resnet50', batch: 4, size: 224 },
];

async function compare({ network, batch, size }, threads) {
  const settings = [network, batch, size, threads].map(String);
  // Threads that spin while they wait would fight with whatever else the machine does, PyTorch's far more than ours.
  const environment = { OMP_NUM_THREADS: String(threads), OMP_WAIT_POLICY: 'PASSIVE' };
  const ours = await stepper(process.execPath, [join(here, 'engine_steps.mjs'), ...settings], environment);
  const theirs = await stepper(python, [join(here, 'pytorch_engine.py'), ...settings], environment);
  const sides = { ours, theirs };
  const steps = {};
  for (const [name, side] of Object.entries(sides)) {
    await side.run(1);
    steps[name] = Math.max(1, Math.round((secondsPerTurn * threads) / (await side.run(1)).processor));
  }
  const turns = [];
  for (let round = 0; round < rounds; round++) {
    const turn = {};
    for (const [name, side] of Object.entries(sides)) {
      const { clock, processor } = await side.run(steps[name]);
      const images = steps[name] * batch;
      turn[name] = { imagesPerSecond: images / clock, imagesPerProcessorSecond: images / processor };
    }
    turns.push(turn);
  }
  const peakBytes = { ours: ours.peakBytes(), theirs: theirs.peakBytes() };
  ours.end();
  theirs.end();
  const ratios = (key) => turns.map((turn) => turn.ours[key] / turn.theirs[key]);
  return {
    network,
    batch,
    size,
    threads,
    imagesPerSecond: median(turns.map((turn) => turn.ours.imagesPerSecond)),
    pytorchImagesPerSecond: median(turns.map((turn) => turn.theirs.imagesPerSecond)),
    ratios: ratios('imagesPerSecond'),
    processorRatios: ratios('imagesPerProcessorSecond'),
    peakBytes,
    engine: JSON.parse(ours.about),
    pytorch: theirs.about,
  };
}

await runBenchmark(async () => {
  requirePython(python, 'PyTorch (Debian: python3-torch)', 'torch');
  const { values: flags, positionals: wanted } = optionsOf({
    allowPositionals: true,
    options: { threads: { type: 'string', default: '1,2' } },
  });
  const results = [];
  for (const one of cases.filter(({ network }) => !wanted.length || wanted.includes(network))) {
    for (const threads of flags.threads.split(',').map(Number)) {
      const result = await compare(one, threads);
      results.push(result);
      const { ours, theirs } = result.peakBytes;
      console.log(
        `${one.network}@${one.size} b${one.batch}, ${threads} ${threads === 1 ? 'thread' : 'threads'}: ` +
          `${result.imagesPerSecond.toFixed(1)} images/s, PyTorch ${result.pytorchImagesPerSecond.toFixed(1)}, ` +
          `ratio ${spread(result.ratios)}, by processor time ${spread(result.processorRatios)}, ` +
          `peak memory ${(ours / 2 ** 20).toFixed(0)} MiB, ratio ${(ours / theirs).toFixed(2)}`,
      );
    }
  }
  writeReport('engine', { results });
});
