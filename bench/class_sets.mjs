// Does the result hang on the classes or on the seed? The classes of a dataset in the layout of CUB-200-2011 are split at
// random into parts. On each part this project's `baseline` (ADSH) and a plain PyTorch loop of the same method, network,
// schedule and microbatches train from several seeds. A run takes minutes; what is done stays in --output, and the same
// command goes on from there. Needs a Python (PYTHON, or python3) with PyTorch and Pillow, and pretrained weights of a
// MobileNetV1 as a TensorFlow.js manifest.
// usage: npm run bench:class-sets -- --data DIR --weights DIR [--output DIR] [--parts 2,5] [--seeds 5] [--split-seed 0]
//   [--bits 24 --image-size 128 --samples-per-class 20 --iterations 8 --epochs 3 --learning-rate 0.006] [--first-codes NAME]
//   [--statistics-momentum 0.1]
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { mean, standardDeviation, studentQuantile95 } from '../dist/experiments/statistics.js';
import { numberOf, numbersOf, OptionError, optionsOf, runBenchmark } from './kit/options.mjs';
import { requirePython } from './kit/python.mjs';
import { writeReport } from './kit/report.mjs';
import { spawnBound } from './kit/spawn.mjs';

const program = join(import.meta.dirname, '..', 'dist', 'cli.js');
const python = process.env.PYTHON ?? 'python3';
const batchSize = 64;

const settingsOf = () => {
  const { values } = optionsOf({
    options: {
      data: { type: 'string' },
      weights: { type: 'string' },
      output: { type: 'string', default: join('tables', 'class-sets') },
      parts: { type: 'string', default: '2,5' },
      seeds: { type: 'string', default: '5' },
      'split-seed': { type: 'string', default: '0' },
      bits: { type: 'string', default: '24' },
      width: { type: 'string', default: '0.25' },
      'image-size': { type: 'string', default: '128' },
      'samples-per-class': { type: 'string', default: '20' },
      iterations: { type: 'string', default: '8' },
      epochs: { type: 'string', default: '3' },
      'learning-rate': { type: 'string', default: '0.006' },
      'first-codes': { type: 'string', default: 'published' },
      'statistics-momentum': { type: 'string', default: '0.1' },
    },
  });
  for (const name of ['data', 'weights']) {
    if (values[name] === undefined) throw new OptionError(`--${name} is missing, expected a folder.`);
    values[name] = resolve(values[name]);
  }
  if (!existsSync(join(values.data, 'images.txt')))
    throw new OptionError(`--data is ${values.data}, expected a folder with images.txt as of CUB-200-2011.`);
  return values;
};

/** Lines of a list of the dataset as pairs of an id and the rest. */
function pairsOf(folder, name) {
  return readFileSync(join(folder, name), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => /^(\S+) (.*)$/.exec(line.trim()).slice(1));
}

/** The classes' ids in `count` parts of nearly equal size; the order is that of a hash of seed and name. */
function splitClasses(data, count, seed) {
  const key = (name) => createHash('sha256').update(`${seed} ${name}`).digest('hex');
  const ids = pairsOf(data, 'classes.txt')
    .map(([id, name]) => ({ id, key: key(name) }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ id }) => id);
  return Array.from(
    { length: count },
    (_, part) => new Set(ids.filter((_, place) => place % count === part)),
  );
}

/** Writes the lists of a dataset that has only these classes; its pictures are those of `data`. */
function writePart(data, folder, classes) {
  mkdirSync(folder, { recursive: true });
  if (!existsSync(join(folder, 'images'))) symlinkSync(join(data, 'images'), join(folder, 'images'));
  const classOf = new Map(pairsOf(data, 'image_class_labels.txt'));
  const write = (name, keep) => {
    const lines = pairsOf(data, name).filter(([id]) => keep(id));
    writeFileSync(join(folder, name), `${lines.map((pair) => pair.join(' ')).join('\n')}\n`);
  };
  write('classes.txt', (id) => classes.has(id));
  for (const name of ['images.txt', 'image_class_labels.txt', 'train_test_split.txt'])
    write(name, (id) => classes.has(classOf.get(id)));
}

/** Output of a process that must end with 0. */
async function outputOf(command, args) {
  const child = spawnBound(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (data) => {
    text += data;
  });
  const [code] = await once(child, 'close');
  if (code === 0) return text;
  throw new OptionError(
    `${command} ${args.slice(0, 2).join(' ')} ended with ${code}, expected 0; its errors are above.`,
  );
}

const schedule = (options, classes) => ({
  bits: numberOf(options, 'bits'),
  width: numberOf(options, 'width'),
  imageSize: numberOf(options, 'image-size'),
  gamma: 200,
  // Whole batches: the last of an epoch would have other microbatches.
  sampleSize:
    batchSize * Math.max(1, Math.floor((numberOf(options, 'samples-per-class') * classes) / batchSize)),
  iterations: numberOf(options, 'iterations'),
  epochs: numberOf(options, 'epochs'),
  batchSize,
  microbatches: 8,
  learningRate: numberOf(options, 'learning-rate'),
  decayAfter: [Math.round(0.75 * numberOf(options, 'iterations'))],
  momentum: 0.9,
  weightDecay: 1e-5,
});

const sides = {
  async fcaenet({ options, folder, root, plan, seed }) {
    const file = join(folder, 'run.json');
    const { bits, width, imageSize, gamma, sampleSize, momentum, weightDecay, ...rest } = plan;
    const spec = {
      method: 'baseline',
      bits,
      seed,
      firstCodes: options['first-codes'],
      batchNormalisation: { momentum: numberOf(options, 'statistics-momentum') },
      dataset: { path: root, sampleSize },
      model: { backbone: 'mobilenet_v1', width, imageSize, weights: options.weights },
      loss: { gamma },
      schedule: rest,
      optimizer: { momentum, weightDecay },
      operation: { runsDirectory: join(folder, 'runs') },
    };
    const run = { apiVersion: 'fcaenet.dev/v1', kind: 'TrainingRun', metadata: { name: 'part' }, spec };
    writeFileSync(file, JSON.stringify(run));
    const text = await outputOf(program, ['train', file, '--resume=auto', '--workers', '1', '--json']);
    const lines = text.split('\n').filter((line) => line.startsWith('{'));
    return lines.map((line) => JSON.parse(line)).findLast(({ message }) => message === 'evaluated').mAP;
  },
  async pytorch({ options, root, plan, seed }) {
    const settings = JSON.stringify({ ...plan, root, weights: options.weights, seed });
    const text = await outputOf(python, [join(import.meta.dirname, 'pytorch_adsh.py'), settings]);
    return JSON.parse(text.trim().split('\n').at(-1)).mAP;
  },
};

/** Mean difference of two samples with its 95 % interval (Welch's t; degrees of freedom rounded down). */
function difference(a, b) {
  const [u, v] = [a, b].map((values) => standardDeviation(values) ** 2 / values.length);
  const degrees = Math.max(1, Math.floor((u + v) ** 2 / (u ** 2 / (a.length - 1) + v ** 2 / (b.length - 1))));
  const centre = mean(a) - mean(b);
  const half = studentQuantile95(degrees) * Math.sqrt(u + v);
  return { mean: centre, interval: [centre - half, centre + half] };
}

const rounded = (value) => value.toFixed(3);
const described = (values) => `${rounded(mean(values))} ± ${rounded(standardDeviation(values))}`;

await runBenchmark(async () => {
  const options = settingsOf();
  const partCounts = numbersOf(options, 'parts');
  const seeds = numberOf(options, 'seeds');
  if (!(Number.isInteger(seeds) && seeds >= 2))
    throw new OptionError(`--seeds is ${seeds}, expected a whole number of at least 2.`);
  requirePython(python, 'PyTorch and Pillow', 'torch, PIL');
  const total = partCounts.reduce((sum, count) => sum + count, 0) * seeds * 2;
  const began = Date.now();
  let [done, made] = [0, 0];
  const results = [];
  for (const count of partCounts) {
    for (const [index, classes] of splitClasses(options.data, count, options['split-seed']).entries()) {
      const name = `part-${index + 1}-of-${count}`;
      const root = join(resolve(options.output), name, 'data');
      writePart(options.data, root, classes);
      const plan = schedule(options, classes.size);
      const found = { fcaenet: [], pytorch: [] };
      for (let seed = 0; seed < seeds; seed++) {
        for (const [side, train] of Object.entries(sides)) {
          const folder = join(resolve(options.output), name, `${side}-seed${seed}`);
          const file = join(folder, 'mAP.json');
          if (!existsSync(file)) {
            mkdirSync(folder, { recursive: true });
            writeFileSync(
              file,
              JSON.stringify({ plan, mAP: await train({ options, folder, root, plan, seed }) }),
            );
            made++;
          }
          const kept = JSON.parse(readFileSync(file, 'utf8'));
          if (JSON.stringify(kept.plan) !== JSON.stringify(plan))
            throw new OptionError(
              `${file} has another schedule, expected that of the options: use another --output.`,
            );
          found[side].push(kept.mAP);
          done++;
          const left = made === 0 ? 0 : ((Date.now() - began) / made) * (total - done);
          console.log(
            `${done} of ${total}: ${name}, seed ${seed}, ${side} ${rounded(kept.mAP)}; ${Math.round(left / 60e3)} min left`,
          );
        }
      }
      const less = difference(found.fcaenet, found.pytorch);
      results.push({ name, classes: classes.size, plan, ...found, less });
      console.log(
        `${name}, ${classes.size} classes, ${seeds} seeds: fcaenet ${described(found.fcaenet)}, PyTorch ${described(found.pytorch)}, ` +
          `difference ${rounded(less.mean)} (${less.interval.map(rounded).join(' to ')})`,
      );
    }
  }
  const firstCodes = options['first-codes'];
  writeReport('class-sets', {
    firstCodes,
    statisticsMomentum: numberOf(options, 'statistics-momentum'),
    results,
  });
});
