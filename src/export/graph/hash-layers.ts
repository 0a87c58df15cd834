import type { TrainedMethod } from '../../methods/method.js';
import { halves } from '../../model/heads/pyramids.js';
import type { NetworkLayout, ParameterSpec } from '../../model/layout.js';
import type { Maps, Walk } from './walk.js';

/**
 * Adds what lies between the maps of the trunk and tanh, with the hash layer.
 * @param maps what each layer of the trunk makes
 * @returns the name of z `[n, bits]`
 */
type AddHashLayer = (walk: Walk, maps: readonly Maps[], layout: NetworkLayout) => string;

/** For each head of a network. */
export const hashLayers: Readonly<Record<TrainedMethod['head'], AddHashLayer>> = {
  pooled: addPooled,
  pyramids: addPyramids,
  saliency: addPooled,
  parts: addParts,
};

/** Names of operations. */
const hash = 'hash';
const features = 'features';

function addPooled(walk: Walk, maps: readonly Maps[], layout: NetworkLayout): string {
  const input = meanOf(walk, maps.at(-1)!, features);
  return walk.add({ kind: 'dense', name: hash, input, ...tensorsOf(layout) });
}

/** The features of both pyramids of FPH, as `pyramidFeatures` computes them, and the hash layer on them. */
function addPyramids(walk: Walk, maps: readonly Maps[], layout: NetworkLayout): string {
  const pooled = meanOf(walk, maps.at(-1)!, 'pyramids.deepest');
  const [larger, smaller, deep] = layout.head.branches.map(({ from, layers }) =>
    walk.layers(layers, maps[from]!),
  ) as [Maps, Maps, Maps];
  const pair = { input: larger.name, other: smaller.name };
  const sum = walk.add({ kind: 'add', name: 'pyramids.sum', ...pair });
  const product = walk.add({ kind: 'multiply', name: 'pyramids.product', ...pair });
  const consensus = walk.add({ kind: 'add', name: 'pyramids.consensus', input: sum, other: product });
  const details = { ...smaller, name: consensus };
  const all = walk.add({
    kind: 'concatenate',
    name: features,
    input: meanOf(walk, deep, 'pyramids.deep'),
    others: [pooled, meanOf(walk, details, 'pyramids.whole'), ...quartersOf(walk, details)],
    along: 'features',
  });
  return walk.add({ kind: 'dense', name: hash, input: all, ...tensorsOf(layout) });
}

/** Means of the quarters of a map, row by row. */
function quartersOf(walk: Walk, map: Maps): string[] {
  const { channels } = map;
  return halves(map.height).flatMap((vertical, row) =>
    halves(map.width).map((horizontal, column) => {
      const quarter = walk.add({
        kind: 'slice',
        name: `pyramids.quarter${2 * row + column + 1}`,
        input: map.name,
        begin: { height: vertical.begin, width: horizontal.begin, channels: 0 },
        size: { height: vertical.size, width: horizontal.size, channels },
      });
      return walk.add({ kind: 'mean', name: `${quarter}.mean`, input: quarter });
    }),
  );
}

/**
 * The local branch of ExchNet for every part, as `localFeatures` computes it, and the hash layer on the features of the
 * parts and of the trunk (equations 1 to 3 of its paper). The parts are rows of one batch.
 */
function addParts(walk: Walk, maps: readonly Maps[], layout: NetworkLayout): string {
  const { shared, attention, local, parts } = layout.own!;
  const before = maps[shared - 1]!;
  const attended = walk.layers(attention, before);
  const [first, ...others] = Array.from({ length: parts }, (_, part) => {
    const map = walk.add({
      kind: 'slice',
      name: `part${part + 1}.attention`,
      input: attended.name,
      begin: { height: 0, width: 0, channels: part },
      size: { ...before, channels: 1 },
    });
    const name = `part${part + 1}.attended`;
    return walk.add({ kind: 'multiply', name, input: before.name, other: map });
  });
  const rows = walk.add({ kind: 'concatenate', name: 'parts', input: first!, others, along: 'rows' });
  const branch = walk.layers(local, { ...before, name: rows });
  const all = walk.add({
    kind: 'concatenate',
    name: features,
    input: meanOf(walk, branch, 'features.local'),
    others: [meanOf(walk, maps.at(-1)!, 'features.global')],
    along: 'rows',
  });
  return walk.add({
    kind: 'denseOverParts',
    name: hash,
    input: all,
    parts: parts + 1,
    width: layout.featureWidth,
    ...tensorsOf(layout),
  });
}

function meanOf(walk: Walk, { name: input }: Maps, name: string): string {
  return walk.add({ kind: 'mean', name, input });
}

function tensorsOf({ parameters }: NetworkLayout): { weight: ParameterSpec; bias: ParameterSpec } {
  const [weight, bias] = parameters.slice(-2) as [ParameterSpec, ParameterSpec];
  return { weight, bias };
}
