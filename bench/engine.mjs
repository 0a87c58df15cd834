// Training images per second (forward, backward, SGD) of the engine `onednn` against Debian's PyTorch, on as many
// threads, in one interleaved run. Needs the package python3-torch. The ratio by the processor's time is the one to
// trust on a busy machine. On one thread PyTorch 1.13 computes 1×1 convolutions of fewer than 16 images with a slow
// kernel of its own, so its ResNet-50 figure here says little.
// usage: npm run bench:engine [-- NETWORK...]
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const here = import.meta.dirname;
const threads = 1;
const rounds = 5;
const secondsPerTurn = 1;
const cases = [
  { network: 'mobilenet_v1', batch: 16, size: 128 },
  { network: 'resnet18', batch: 16, size: 64 },
  { network: 'resnet50', batch: 4, size: 224 },
];

/** Starts a process that takes a number of steps per line and answers with seconds. */
async function stepper(command, args) {
  const child = spawn(command, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, OMP_NUM_THREADS: String(threads) },
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const read = async () => {
    const { value, done } = await lines.next();
    if (done) {
      throw new Error(`${command} ${args.join(' ')} ended early.`);
    }
    return value;
  };
  const about = (await read()).replace('ready ', '');
  return {
    about,
    /** Seconds that `steps` steps took: on the clock and on the processor. */
    async run(steps) {
      child.stdin.write(`${steps}\n`);
      const [clock, processor] = (await read()).split(' ').map(Number);
      return { clock, processor };
    },
    end: () => child.stdin.end(),
  };
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

const wanted = process.argv.slice(2);
const results = [];
for (const { network, batch, size } of cases.filter(
  ({ network }) => !wanted.length || wanted.includes(network),
)) {
  const settings = [network, batch, size, threads].map(String);
  const ours = await stepper(process.execPath, [join(here, 'engine_steps.mjs'), ...settings]);
  const theirs = await stepper('/usr/bin/python3', [join(here, 'pytorch_engine.py'), ...settings]);
  const sides = { ours, theirs };
  const steps = {};
  for (const [name, side] of Object.entries(sides)) {
    await side.run(3);
    steps[name] = Math.max(1, Math.round((secondsPerTurn * 3) / (await side.run(3)).clock));
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
  const ratios = (key) => turns.map(({ ours, theirs }) => ours[key] / theirs[key]);
  const result = {
    network,
    batch,
    size,
    onednn: median(turns.map((turn) => turn.ours.imagesPerSecond)),
    pytorch: median(turns.map((turn) => turn.theirs.imagesPerSecond)),
    ratio: median(ratios('imagesPerSecond')),
    processorRatio: median(ratios('imagesPerProcessorSecond')),
    turns,
    engine: JSON.parse(ours.about),
    pytorchVersion: theirs.about,
  };
  results.push(result);
  const spread = ratios('imagesPerProcessorSecond');
  console.log(
    `${network}@${size} b${batch}: ${result.onednn.toFixed(1)} images/s, PyTorch ${result.pytorch.toFixed(1)}, ` +
      `ratio ${result.ratio.toFixed(2)}, by processor time ${result.processorRatio.toFixed(2)} ` +
      `(${Math.min(...spread).toFixed(2)} to ${Math.max(...spread).toFixed(2)})`,
  );
  ours.end();
  theirs.end();
}
const date = new Date().toISOString();
mkdirSync(join(here, 'results'), { recursive: true });
const file = join(here, 'results', `engine-${date.replace(/[:.]/g, '-')}.json`);
writeFileSync(file, `${JSON.stringify({ date, device: cpus()[0].model, threads, results }, null, 2)}\n`);
console.log(`written to ${file}`);
