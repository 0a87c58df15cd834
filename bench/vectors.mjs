// What the coordinator does with every gradient: summing four of ResNet-50's size in tree order, in bytes read and
// written per processor second against those of a memory copy, and SGD against the same loop in plain JavaScript; interleaved.
// usage: npm run bench:vectors
import { SgdOptimizer } from '../dist/coordinator/training/optimizer.js';
import { addInto, isFiniteVector } from '../dist/reduction/gradient-vectors.js';
import { median, spread, writeReport } from './kit/report.mjs';

const length = 23_606_384;
const rounds = 7;
const vector = (key) => Float32Array.from({ length }, (_value, index) => Math.sin(key + index));
const gradients = [0, 1, 2, 3].map(vector);
const copies = gradients.map(() => new Float32Array(length));
const parameters = vector(4);
const settings = { momentum: 0.9, weightDecay: 1e-5 };
const optimizer = new SgdOptimizer(settings, new Float32Array(length), true);

function scalarSgd(p, g, buffer, learningRate) {
  const { fround } = Math;
  const [rate, momentum, decay] = [learningRate, settings.momentum, settings.weightDecay].map(fround);
  for (let i = 0; i < p.length; i++) {
    const d = fround(g[i] + fround(decay * p[i]));
    buffer[i] = fround(fround(momentum * buffer[i]) + d);
    p[i] = fround(p[i] - fround(rate * buffer[i]));
  }
}

/** Of the processor, so that other programs' turns do not count. */
function seconds(work) {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

const work = {
  copy: () => {
    for (const [index, copy] of copies.entries()) copy.set(gradients[index]);
  },
  sum: () => {
    addInto(copies[0], copies[1]);
    addInto(copies[2], copies[3]);
    addInto(copies[0], copies[2]);
  },
  finite: () => isFiniteVector(gradients[0]),
  sgd: () => optimizer.step(parameters, gradients[0], 1e-3),
  scalarSgd: () => scalarSgd(parameters, gradients[0], optimizer.buffer, 1e-3),
};
/** Bytes that each reads and writes. */
const bytes = { copy: 4 * 2, sum: 3 * 3, finite: 1, sgd: 5, scalarSgd: 5 };
const rates = Object.fromEntries(Object.keys(work).map((name) => [name, []]));
for (let round = 0; round <= rounds; round++) {
  for (const name of Object.keys(work)) {
    const rate = (4 * length * bytes[name]) / seconds(work[name]) / 1e9;
    // The first round compiles.
    if (round > 0) rates[name].push(rate);
  }
}
const ratios = (name, to) => rates[name].map((rate, round) => rate / rates[to][round]);
for (const name of Object.keys(work)) {
  console.log(
    `${name}: ${median(rates[name]).toFixed(1)} GB/s read and written, ${spread(ratios(name, 'copy'))} of a copy's`,
  );
}
console.log(`SGD is ${spread(ratios('sgd', 'scalarSgd'))} times as fast as in plain JavaScript`);
writeReport('vectors', { gigabytesPerSecond: rates });
