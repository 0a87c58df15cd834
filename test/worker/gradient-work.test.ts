import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadEngine } from '../../src/engine/loader.js';
import { packCodes } from '../../src/hashing/codes.js';
import { summarizeCodes } from '../../src/hashing/similarity.js';
import type { FirstCodes } from '../../src/methods/first-codes.js';
import { usualBatchNormalisation } from '../../src/methods/passes.js';
import { computeGradientAnywhere } from '../../src/model/any-engine.js';
import { Network } from '../../src/model/network.js';
import { mergePayloads, type NodePayload, payloadDigest } from '../../src/reduction/payload.js';
import { StepReduction } from '../../src/reduction/step-reduction.js';
import { ReductionTree } from '../../src/reduction/tree.js';
import type { TrainingRunSpec, WirePrecision } from '../../src/run/training-run.js';
import { bytesOf } from '../../src/transport/bytes.js';
import type { GradientWork__Output } from '../../src/transport/generated/fcaenet/v1/GradientWork.js';
import { WorkerGradients } from '../../src/worker/gradient-memory.js';
import {
  computeGradientWork,
  type FinishedNode,
  type GradientContext,
} from '../../src/worker/gradient-work.js';
import { gatherCodes } from '../golden/support.js';
import { bfloat16Of } from '../kit/bfloat16.js';
import { hasTensorflow, withoutTensorflow } from '../kit/tensorflow.js';
import { useEngine } from '../model/engine.js';
import {
  bits,
  databaseCodes,
  databaseLabels,
  databaseSummary,
  tinyLayout,
  tinyWeights,
} from '../model/tiny.js';

const pictureBytes = tinyLayout.height * tinyLayout.width * 3;
const settings = {
  method: 'fcaenet',
  gamma: 200,
  alpha: 3,
  beta: 5,
  erasing: { regions: 6, size: 4 },
  batchNormalisation: usualBatchNormalisation,
} as const;

/** Pictures by their positions, whatever is asked. */
function picturesOf(indices: Int32Array): Uint8Array<ArrayBuffer> {
  const pixels = new Uint8Array(indices.length * pictureBytes);
  indices.forEach((index, row) => {
    for (let i = 0; i < pictureBytes; i++) pixels[row * pictureBytes + i] = (i * 89 + index * 151) & 255;
  });
  return pixels;
}

function contextOf(network: Network, precision: WirePrecision = 'float32'): GradientContext {
  const { method, erasing, batchNormalisation, ...loss } = settings;
  return {
    network,
    spec: {
      method,
      bits,
      erasing,
      batchNormalisation,
      loss,
      augmentation: { crop: 'none', flip: false },
      wire: { precision },
    } as TrainingRunSpec,
    trainImages: {
      read: async (indices) => picturesOf(indices),
      prefetch: () => {},
      statistics: { decoded: 0, cached: 0 },
      close: async () => {},
    },
    trainLabels: databaseLabels,
    summary: databaseSummary,
    anchored: null,
    memory: new WorkerGradients(tinyLayout.parameterCount, precision),
  };
}

/** Positions in the train split of a microbatch's rows; its positives are the next pictures. */
function itemsOf(tree: ReductionTree, leaf: number): Int32Array {
  const { start, end } = tree.rowsOf(leaf);
  return Int32Array.from({ length: end - start }, (_, row) => (7 * (start + row)) % databaseLabels.length);
}

const nextItems = (items: Int32Array) => items.map((item) => (item + 1) % databaseLabels.length);

function workOf(tree: ReductionTree, leaves: readonly number[], compared: readonly number[] = []) {
  return {
    position: { iteration: 0, epoch: 0, step: 0 },
    batchRows: tree.batchRows,
    microbatches: tree.microbatches,
    leaves: leaves.map((index) => {
      const items = itemsOf(tree, index);
      return {
        index,
        anchors: Buffer.from(bytesOf(items)),
        positives: Buffer.from(bytesOf(nextItems(items))),
        ownCodes: Buffer.from(bytesOf(packCodes(gatherCodes(databaseCodes, bits, items), bits))),
        exchangedParts: Buffer.alloc(0),
        compared: compared.includes(index),
      };
    }),
  } as unknown as GradientWork__Output;
}

/** The nodes of some work; each payload is a copy. */
async function nodesOf(context: GradientContext, work: GradientWork__Output): Promise<FinishedNode[]> {
  const nodes: FinishedNode[] = [];
  for await (const node of computeGradientWork(context, work, new AbortController().signal)) {
    nodes.push({ ...node, payload: { ...node.payload, gradient: node.payload.gradient.slice() } });
  }
  return nodes;
}

const noCodes = new Int8Array(databaseCodes.length);

/** V, and what the loss needs of it. */
const databases = {
  ofSigns: { codes: databaseCodes, summary: databaseSummary },
  ofZeros: {
    codes: noCodes,
    summary: summarizeCodes({ ...databaseSummary, codes: noCodes, labels: databaseLabels }),
  },
};

/** A microbatch by itself. */
async function leafPayload(
  network: Network,
  tree: ReductionTree,
  leaf: number,
  precision: WirePrecision,
  { codes, summary } = databases.ofSigns,
): Promise<NodePayload> {
  const items = itemsOf(tree, leaf);
  const { gradient, u, losses, moments } = await computeGradientAnywhere(network, {
    ...settings,
    anchors: picturesOf(items),
    positives: picturesOf(nextItems(items)),
    labels: items.map((item) => databaseLabels[item]!),
    ownCodes: gatherCodes(codes, bits, items),
    summary,
    batchRows: tree.batchRows,
  });
  return { gradient: precision === 'float32' ? gradient : bfloat16Of(gradient), u, losses, moments };
}

/** The same nodes, of microbatches that were read one by one and summed in this process. */
async function expectedNodes(
  network: Network,
  tree: ReductionTree,
  leaves: readonly number[],
  precision: WirePrecision = 'float32',
  database = databases.ofSigns,
) {
  const reduction = new StepReduction<NodePayload>(tree, (left, right) =>
    mergePayloads(tinyLayout, left, right),
  );
  for (const index of leaves) {
    reduction.fill({ level: 0, index }, await leafPayload(network, tree, index, precision, database));
  }
  return tree.cover(leaves).map((node) => ({ node, payload: reduction.take(node)! }));
}

const every = (tree: ReductionTree) => [...tree.leaves];

describe("a worker's microbatches", () => {
  useEngine();

  const withNetwork = async (use: (network: Network) => Promise<void>) => {
    const network = new Network(tinyLayout);
    network.setWeights(tinyWeights);
    await use(network);
    network.dispose();
  };

  it.each<[string, ReductionTree, (tree: ReductionTree) => number[]]>([
    ['the whole batch', new ReductionTree(16, 8), every],
    ['microbatches of different sizes', new ReductionTree(20, 8), every],
    ['a number of microbatches that is no power of two', new ReductionTree(14, 7), every],
    ['microbatches without rows', new ReductionTree(5, 8), every],
    ['more than one node', new ReductionTree(16, 8), () => [1, 2, 3, 5, 6]],
    ['an order of its own', new ReductionTree(16, 8), () => [7, 4, 0, 5, 6]],
  ])('give the nodes of the tree, bit for bit: %s', (_, tree, leavesOf) =>
    withNetwork(async (network) => {
      const leaves = leavesOf(tree);
      const nodes = await nodesOf(contextOf(network), workOf(tree, leaves));
      expect(nodes.map(({ node, payload }) => ({ node, payload }))).toEqual(
        await expectedNodes(network, tree, leaves),
      );
    }),
  );

  it('give gradients and sums that are rounded to bfloat16, bit for bit', () =>
    withNetwork(async (network) => {
      const tree = new ReductionTree(20, 8);
      const leaves = [0, 1, 2, 3, 5, 6];
      const nodes = await nodesOf(contextOf(network, 'bfloat16'), workOf(tree, leaves));
      expect(nodes.map(({ node, payload }) => ({ node, payload }))).toEqual(
        await expectedNodes(network, tree, leaves, 'bfloat16'),
      );
    }));

  it('alone and compared have their digest', () =>
    withNetwork(async (network) => {
      const tree = new ReductionTree(16, 8);
      const [compared, other] = await nodesOf(contextOf(network), workOf(tree, [2, 5], [2]));
      expect(compared!.leafDigests).toEqual([{ index: 2, sha256: payloadDigest(compared!.payload) }]);
      expect(other!.leafDigests).toEqual([]);
    }));

  /** Work without codes of a run with this first V. */
  const withoutCodes = (network: Network, tree: ReductionTree, firstCodes: FirstCodes) => {
    const { spec, ...rest } = contextOf(network);
    const { summary } = databases.ofZeros;
    const work = workOf(tree, every(tree));
    for (const leaf of work.leaves) leaf.ownCodes = Buffer.alloc(0);
    return nodesOf({ ...rest, spec: { ...spec, firstCodes }, summary }, work);
  };

  it('have V = 0 where none is sent and the run begins so: only quantisation and distances depend on outputs', () =>
    withNetwork(async (network) => {
      const tree = new ReductionTree(8, 4);
      const nodes = await withoutCodes(network, tree, 'zero');
      const expected = await expectedNodes(network, tree, every(tree), 'float32', databases.ofZeros);
      expect(nodes.map(({ node, payload }) => ({ node, payload }))).toEqual(expected);

      const { losses, u } = nodes[0]!.payload;
      const { databaseSize, classSizes, ratio } = databaseSummary;
      const [similarity, quantisation] = losses;
      const scale = tree.batchRows * databaseSize;
      const squares = u.reduce((sum, value) => sum + value ** 2, 0);
      expect(quantisation).toBeCloseTo((settings.gamma * squares) / scale, 6);
      // Every product of codes is 0, so the term is the sum over what they should be: c for one class, else −c r.
      const wanted = every(tree)
        .flatMap((leaf) => [...itemsOf(tree, leaf)])
        .map((item) => classSizes[databaseLabels[item]!]!)
        .reduce((sum, size) => sum + bits ** 2 * (size + (databaseSize - size) * ratio ** 2), 0);
      expect(similarity).toBeCloseTo(wanted / scale, 6);
    }));

  it.each(['published', 'class-means'] as const)(
    'are refused where none is sent and the run does not begin so: %s',
    (firstCodes) =>
      withNetwork(async (network) => {
        await expect(withoutCodes(network, new ReductionTree(8, 4), firstCodes)).rejects.toMatchObject({
          code: 'HASHING_SHAPE',
        });
      }),
  );

  it('that the batch does not have are refused', () =>
    withNetwork(async (network) => {
      const tree = new ReductionTree(5, 8);
      const work = workOf(tree, [1, 2]);
      work.leaves[1]!.index = 8;
      await expect(nodesOf(contextOf(network), work)).rejects.toMatchObject({
        code: 'WORKER_BAD_WORK',
        exitCode: 76,
        message: 'a batch of 5 rows in 8 microbatches has no microbatch 8 with rows',
      });
    }));

  it('that exchange features which did not come are refused', () =>
    withNetwork(async (network) => {
      const work = workOf(new ReductionTree(4, 4), [0]);
      work.leaves[0]!.exchangedParts = Buffer.alloc(4);
      await expect(nodesOf(contextOf(network), work)).rejects.toMatchObject({
        code: 'WORKER_BAD_WORK',
        message: 'microbatch 0 exchanges local features, but the coordinator sent none of the classes',
      });
    }));
});

describe.skipIf(!hasTensorflow)(`sums in TensorFlow${withoutTensorflow}`, () => {
  interface Addon {
    runSavedModel(id: number, inputs: number[], names: string, outputs: string): unknown;
    getNumOfSavedModels(): number;
    getNumOfTensors(): number;
  }
  let backend: { binding: Addon };
  beforeAll(async () => {
    await loadEngine('tensorflow', { threads: 1 });
    backend = tf.backend() as unknown as { binding: Addon };
  });

  const withNetwork = async (use: (network: Network) => Promise<void>) => {
    const network = new Network(tinyLayout);
    network.setWeights(tinyWeights);
    await use(network);
    network.dispose();
  };

  it('have no digest of a microbatch that was summed, as none is read', () =>
    withNetwork(async (network) => {
      const tree = new ReductionTree(16, 8);
      const nodes = await nodesOf(contextOf(network), workOf(tree, every(tree)));
      expect(nodes.map(({ leafDigests }) => leafDigests)).toEqual([[]]);
    }));

  it('are rounded to bfloat16 there as in this process', () =>
    withNetwork(async (network) => {
      const tree = new ReductionTree(16, 8);
      const nodes = await nodesOf(contextOf(network, 'bfloat16'), workOf(tree, every(tree)));
      expect(nodes.map(({ node, payload }) => ({ node, payload }))).toEqual(
        await expectedNodes(network, tree, every(tree), 'bfloat16'),
      );
    }));

  it('take two calls a microbatch, and one more for new weights', () =>
    withNetwork(async (network) => {
      const tree = new ReductionTree(16, 8);
      const context = contextOf(network);
      const { binding } = backend;
      const calls: string[] = [];
      backend.binding = Object.fromEntries(
        Object.getOwnPropertyNames(binding).map((name) => [name, binding[name as keyof Addon]]),
      ) as unknown as Addon;
      backend.binding.runSavedModel = (...given) => {
        calls.push(given[3].split('_')[0]!);
        return binding.runSavedModel(...given);
      };
      const executed = new Set<string>();
      const executeOp = (binding as unknown as { executeOp(name: string): unknown }).executeOp;
      Object.assign(backend.binding, {
        executeOp: (...given: [string]) => {
          executed.add(given[0]);
          return executeOp(...given);
        },
      });
      try {
        for await (const _ of computeGradientWork(
          context,
          workOf(tree, every(tree)),
          new AbortController().signal,
        )) {
          // Only the calls count.
        }
      } finally {
        backend.binding = binding;
      }
      const ofMicrobatch = (sum: string) => ['outcome', sum];
      expect(calls).toEqual([
        'set',
        ...every(tree)
          .slice(1)
          .flatMap(() => ofMicrobatch('keep')),
        ...ofMicrobatch('ReadVariableOp'),
      ]);
      expect([...executed]).toEqual([]);
    }));

  it('hold the same tensors and graphs after many microbatches as after the first ones', () =>
    withNetwork(async (network) => {
      const tree = new ReductionTree(16, 8);
      const context = contextOf(network);
      const held = () => [
        backend.binding.getNumOfSavedModels(),
        backend.binding.getNumOfTensors(),
        tf.memory().numTensors,
        tf.memory().numBytes,
      ];
      const before = held();
      await nodesOf(context, workOf(tree, every(tree)));
      const [models, tensors, ...own] = held();
      expect([models, tensors, ...own]).toEqual([before[0]! + 1, ...before.slice(1)]);
      for (let step = 0; step < 12; step++) {
        network.setWeights(tinyWeights);
        await nodesOf(context, workOf(tree, every(tree)));
        expect(held()).toEqual([models, tensors, ...own]);
      }
    }));
});
