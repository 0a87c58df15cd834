// Processor time of what a worker does for a microbatch on the engine `tensorflow`, part by part: inside TensorFlow,
// outside it, and what occurs once for each version of the weights and once for each node that is handed over. The worker
// computes some microbatches of one node of the tree; its pictures are decoded already. Inside is what the main thread and
// TensorFlow's threads use during a call into TensorFlow; what Node's other threads use is outside, whenever it is. Needs
// `npm run setup:tensorflow`.
// usage: npm run bench:graph-parts [-- ROWSxSIZE] [--leaves=4] [--rounds=1] [--threads=1]
import { closeSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import { KeyedRandom } from '../dist/data/random.js';
import { loadEngine } from '../dist/engine/loader.js';
import { packCodes } from '../dist/hashing/codes.js';
import { summarizeCodes } from '../dist/hashing/similarity.js';
import { collectGarbageLessOften } from '../dist/machine/garbage-collection.js';
import { usualBatchNormalisation } from '../dist/methods/passes.js';
import { initialWeights } from '../dist/model/initial.js';
import { describeModel } from '../dist/model/layout.js';
import { Network } from '../dist/model/network.js';
import { payloadArrays, payloadDigest } from '../dist/reduction/payload.js';
import { bytesOf } from '../dist/transport/bytes.js';
import { openSharedMemory, SharedWriter } from '../dist/transport/shared-memory.js';
import { WorkerGradients } from '../dist/worker/gradient-memory.js';
import { computeGradientWork } from '../dist/worker/gradient-work.js';
import { optionsOf } from './kit/options.mjs';
import { median, spread, writeReport } from './kit/report.mjs';
import { processorMs, ThreadTimes } from './kit/thread-times.mjs';

const { values: flags, positionals } = optionsOf({
  allowPositionals: true,
  options: {
    leaves: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '1' },
    threads: { type: 'string', default: '1' },
  },
});
const [rows, imageSize] = (positionals[0] ?? '8x224').split('x').map(Number);
const leaves = Number(flags.leaves);
const microbatches = 8;
const bits = 48;
const classCount = 3;

const parts = {
  graph: 'in TensorFlow: the graph of a microbatch',
  sums: 'in TensorFlow: adding or keeping its gradient',
  pictures: 'copying decoded pictures together',
  feeds: 'making tensors of pictures and loss input',
  outcome: 'reading outputs, losses, moments and mask',
  rest: 'JavaScript, and garbage collection on its thread',
  helpers: 'other threads of Node: garbage collection, compilation',
  late: "TensorFlow's threads after its calls",
  weights: 'taking over new weights',
  node: "reading a node's gradient",
  handover: 'writing a node to shared memory',
  digest: 'SHA-256 of a microbatch, where it is compared',
};
const outside = ['pictures', 'feeds', 'outcome', 'rest', 'helpers', 'late'];

/** Milliseconds of the processor by part, and calls into TensorFlow. */
let spent;
let calls;
function begin() {
  spent = Object.fromEntries(Object.keys(parts).map((part) => [part, 0]));
  calls = { microbatch: 0, sums: 0, weights: 0 };
}

const threads = await ThreadTimes.begin();
/** For a part of what is outside. */
function timed(part, work) {
  const since = process.cpuUsage();
  const result = work();
  spent[part] += processorMs(since);
  return result;
}
/** For what is not outside. Reading the threads' times takes place inside too. */
function apart(part, work) {
  const since = process.cpuUsage();
  const before = threads.read();
  const result = work();
  const after = threads.read();
  spent[part] += processorMs(since) - (after.helpers - before.helpers);
  spent.late -= after.library - before.library;
  return result;
}
begin();

// As every worker does.
collectGarbageLessOften();
await loadEngine('tensorflow', { threads: Number(flags.threads) });
watchAddon();
const descriptor = openSharedMemory();
const writer = new SharedWriter(descriptor);
let transfers = 0;

/** A worker's network and work of some size. */
function prepare(rows, imageSize) {
  const layout = describeModel({ backbone: 'resnet50', width: 1, bits, imageSize });
  const network = new Network(layout);
  const weights = initialWeights(layout, new KeyedRandom(0));

  const pixels = rows * imageSize ** 2 * 3;
  const picture = Uint8Array.from({ length: pixels + 64 }, (_, i) => 128 + 127 * Math.sin(i * 12.9898));
  const images = {
    /** As the worker's own source does with pictures that it has decoded. */
    read: async (indices) =>
      timed('pictures', () => {
        const each = pixels / rows;
        const together = new Uint8Array(indices.length * each);
        indices.forEach((_, row) => {
          together.set(picture.subarray(row, row + each), row * each);
        });
        return together;
      }),
  };
  const databaseCodes = Int8Array.from({ length: 24 * bits }, (_, i) => (i % 3 === 0 ? 1 : -1));
  const context = {
    network,
    trainImages: images,
    trainLabels: Int32Array.from({ length: 64 }, (_, i) => i % classCount),
    summary: summarizeCodes({
      codes: databaseCodes,
      labels: Int32Array.from({ length: 24 }, (_, i) => i % classCount),
      bits,
      classCount,
      ratio: 0.5,
    }),
    memory: new WorkerGradients(layout.parameterCount, 'float32'),
    spec: {
      method: 'fcaenet',
      bits,
      loss: { gamma: 200, alpha: 1, beta: 1 },
      erasing: { regions: 50, size: Math.round(imageSize / 7) },
      batchNormalisation: usualBatchNormalisation,
      augmentation: { crop: 'none', flip: false },
      wire: { precision: 'float32' },
    },
  };
  const bytes = (values) => Buffer.from(bytesOf(values));
  const indices = Uint32Array.from({ length: rows }, (_, row) => row);
  const work = {
    position: { iteration: 0, epoch: 0, step: 0 },
    batchRows: rows * microbatches,
    microbatches,
    leaves: Array.from({ length: leaves }, (_, index) => ({
      index,
      anchors: bytes(indices),
      positives: bytes(indices),
      ownCodes: bytes(packCodes(databaseCodes.subarray(0, rows * bits), bits)),
      exchangedParts: Buffer.alloc(0),
      compared: false,
    })),
  };

  /** One step of the run: new weights, and this worker's microbatches. */
  const step = async () => {
    apart('weights', () => network.setWeights(weights));
    const start = process.cpuUsage();
    const before = threads.read();
    const spentBefore = sum(spent);
    let last;
    for await (const { payload } of computeGradientWork(context, work, new AbortController().signal)) {
      const transfer = ++transfers;
      apart('handover', () => writer.put(transfer, payloadArrays(payload).map(bytesOf), writer));
      writer.taken(transfer, writer);
      last = payload;
    }
    const after = threads.read();
    spent.helpers += after.helpers - before.helpers;
    spent.late += after.library - before.library;
    spent.rest += processorMs(start) - (sum(spent) - spentBefore);
    apart('digest', () => payloadDigest(last));
  };
  return { network, step };
}

function sum(of) {
  return Object.values(of).reduce((total, value) => total + value, 0);
}

/** Times what is asked of tfjs-node's addon. */
function watchAddon() {
  const backend = tf.backend();
  const { binding } = backend;
  const own = Object.fromEntries(Object.getOwnPropertyNames(binding).map((name) => [name, binding[name]]));
  const large = 1e6;
  own.createTensor = (shape, type, values) =>
    shape.length === 1 && shape[0] > large
      ? apart('weights', () => binding.createTensor(shape, type, values))
      : timed('feeds', () => binding.createTensor(shape, type, values));
  own.runSavedModel = (id, inputs, names, outputs) => {
    const [part, counter] = outputs.startsWith('outcome')
      ? ['graph', 'microbatch']
      : outputs.startsWith('set_weights')
        ? ['weights', 'weights']
        : ['sums', 'sums'];
    calls[counter]++;
    return apart(part, () => binding.runSavedModel(id, inputs, names, outputs));
  };
  own.tensorDataSync = (id) => timed('outcome', () => binding.tensorDataSync(id));
  if (binding.readTensorInto) {
    own.readTensorInto = (...given) => apart('node', () => binding.readTensorInto(...given));
  }
  backend.binding = own;
}

// V8 compiles what has run often, on its helper threads: all of it only after some hundred microbatches, of which a run has
// thousands. At full size they may take an hour.
const small = prepare(2, 32);
for (let i = 0; i < 50; i++) await small.step();
small.network.dispose();
const { step, network } = prepare(rows, imageSize);
await step();
const rounds = [];
for (let round = 0; round < Number(flags.rounds); round++) {
  begin();
  await step();
  rounds.push({ spent, calls });
}
closeSync(descriptor);
const middle = (part) => median(rounds.map((round) => round.spent[part]));
const line = (part, count, unit) =>
  console.log(`${(middle(part) / count).toFixed(1).padStart(9)} ms a ${unit}  ${parts[part]}`);
console.log(`${rows} × 3 pictures of ${imageSize} × ${imageSize}, ${leaves} microbatches in one node`);
for (const part of ['graph', 'sums', ...outside]) line(part, leaves, 'microbatch');
const totals = rounds.map((round) => outside.reduce((all, part) => all + round.spent[part], 0) / leaves);
console.log(`${spread(totals)} ms a microbatch  OUTSIDE TENSORFLOW, all of these (at most 5)`);
line('weights', 1, 'version   ');
line('node', 1, 'node      ');
line('handover', 1, 'node      ');
line('digest', 1, 'microbatch');
const count = rounds[0].calls;
console.log(
  `calls into TensorFlow: ${count.microbatch} microbatches, ${count.sums} sums, ${count.weights} for new weights: ` +
    `${((count.microbatch + count.sums + count.weights) / leaves).toFixed(2)} a microbatch`,
);
network.dispose();
writeReport('graph-parts', {
  rows,
  imageSize,
  leaves,
  threads: Number(flags.threads),
  outside: totals,
  rounds,
});
