// What stands in for the engine in a made-up member: a microbatch takes MADE_UP_COMPUTE_MS, and its gradient is made up.
// As with TensorFlow's graph the process waits inside the call, sums stay in the engine, and a finished sum is read into
// the worker's memory.
import { fillGradient } from './gradient.mjs';

const computeMs = Number(process.env.MADE_UP_COMPUTE_MS);
const never = new Int32Array(new SharedArrayBuffer(4));

export async function loadEngine(_name, { threads }) {
  const description = {
    name: 'made-up',
    version: '1',
    device: 'none',
    instructionSet: 'none',
    buildHash: 'made-up',
    threads,
    deterministic: true,
    gpu: null,
  };
  return { description, choice: 'made up', device: null };
}

export const microbatchGraphHash = () => '';
export const probeDigest = async () => '0'.repeat(64);

export class Network {
  constructor(layout) {
    this.layout = layout;
  }

  setWeights() {}

  dispose() {}
}

export const gradientSumsInEngine = ({ layout }, _rows, _precision, memory) => new MadeUpSums(layout, memory);

class MadeUpSums {
  mostKept = Number.POSITIVE_INFINITY;
  /** Shares of the batch. */
  kept = [];
  share = 0;

  constructor(layout, memory) {
    this.layout = layout;
    this.memory = memory;
  }

  async compute({ labels, batchRows }) {
    Atomics.wait(never, 0, 0, computeMs);
    const { bits, batchNorms, statisticsCount } = this.layout;
    const rows = labels.length;
    this.share = rows / batchRows;
    const moments = {
      passes: 1,
      counts: new Float64Array(batchNorms.length).fill(rows),
      mean: new Float64Array(statisticsCount),
      squaredDeviations: new Float64Array(statisticsCount).fill(rows),
    };
    return {
      u: new Float32Array(rows * bits).fill(0.5),
      losses: new Float64Array(4).fill(this.share),
      masks: null,
      moments,
    };
  }

  current() {
    return null;
  }

  keep(merged) {
    this.kept.push(this.sum(merged));
  }

  finish(merged) {
    const gradient = this.memory.take();
    fillGradient(gradient, this.sum(merged));
    return this.memory.onWire(gradient);
  }

  sum(merged) {
    return this.kept.splice(this.kept.length - merged).reduce((sum, share) => sum + share, this.share);
  }
}

export function computeGradientAnywhere() {
  throw new Error('a made-up engine computes microbatches only for sums');
}

export function encodeImagesAnywhere() {
  throw new Error('a made-up engine encodes no images: the run is too short');
}

export function trainingOutputsAnywhere() {
  throw new Error('a made-up engine computes no outputs: its method has no loss over pairs');
}
