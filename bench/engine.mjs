// Training images per second (forward, backward, SGD) of the engine `onednn` against Debian's PyTorch, on as many
// threads, in one interleaved run. Needs `npm run build` and the package python3-torch.
// usage: npm run bench:engine [-- NETWORK...]
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const here = import.meta.dirname;
const threads = 1;
const rounds = 7;
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
    async run(steps) {
      child.stdin.write(`${steps}\n`);
      return Number(await read());
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
  const rates = { ours: [], theirs: [] };
  const steps = {};
  for (const [name, side] of Object.entries({ ours, theirs })) {
    await side.run(3);
    steps[name] = Math.max(1, Math.round((secondsPerTurn * 3) / (await side.run(3))));
  }
  for (let round = 0; round < rounds; round++) {
    for (const [name, side] of Object.entries({ ours, theirs })) {
      rates[name].push((steps[name] * batch) / (await side.run(steps[name])));
    }
  }
  const ratios = rates.ours.map((rate, round) => rate / rates.theirs[round]);
  const result = {
    network,
    batch,
    size,
    onednn: median(rates.ours),
    pytorch: median(rates.theirs),
    ratio: median(ratios),
    ratios,
    engine: JSON.parse(ours.about),
    pytorchVersion: theirs.about,
  };
  results.push(result);
  console.log(
    `${network}@${size} b${batch}: ${result.onednn.toFixed(1)} images/s, PyTorch ${result.pytorch.toFixed(1)}, ` +
      `ratio ${result.ratio.toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})`,
  );
  ours.end();
  theirs.end();
}
const date = new Date().toISOString();
mkdirSync(join(here, 'results'), { recursive: true });
const file = join(here, 'results', `engine-${date.replace(/[:.]/g, '-')}.json`);
writeFileSync(file, `${JSON.stringify({ date, device: cpus()[0].model, threads, results }, null, 2)}\n`);
console.log(`written to ${file}`);
