import { describe, expect, test } from 'vitest';
import { addInto } from '../../../src/reduction/gradient-vectors.js';
import { StepReduction } from '../../../src/reduction/step-reduction.js';
import { ReductionTree, type TreeNode } from '../../../src/reduction/tree.js';
import type { WirePrecision } from '../../../src/run/training-run.js';
import { narrow } from '../../../src/transport/narrow.js';
import type { WireVector } from '../../../src/transport/wire-vector.js';
import { Chance } from '../../simulation/chance.js';
import { cut, ExchangeGroup, position, reduceOf } from './group.js';

/** Numbers whose sums depend on the order of adding. */
function randomVector(count: number, chance: Chance, precision: WirePrecision): WireVector {
  const exact = Float32Array.from(
    { length: count },
    () => chance.between(-1, 1) * 10 ** chance.between(-4, 4),
  );
  if (precision === 'float32') return exact;
  const rounded = new Uint16Array(count);
  narrow(exact, rounded);
  return rounded;
}

const merge = (left: WireVector, right: WireVector) => {
  const sum = left.slice();
  addInto(sum, right);
  return sum;
};

/** The sums of nodes as one process makes them. */
function summed(tree: ReductionTree, leaves: ReadonlyMap<number, WireVector>): StepReduction<WireVector> {
  const reduction = new StepReduction<WireVector>(tree, merge);
  for (const [index, gradient] of leaves) reduction.fill({ level: 0, index }, gradient);
  return reduction;
}

interface Held {
  readonly node: TreeNode;
  readonly gradient: WireVector;
}

/** The nodes of a member that computes some leaves, given out in two pieces of work. */
function nodesOf(
  tree: ReductionTree,
  gradients: readonly WireVector[],
  leaves: readonly number[],
  chance: Chance,
): Held[] {
  const [first, second]: [number[], number[]] = [[], []];
  for (const leaf of leaves) (chance.happens(0.7) ? first : second).push(leaf);
  return [first, second].flatMap((part) => {
    const local = summed(tree, new Map(part.map((leaf) => [leaf, gradients[leaf]!])));
    return tree.cover(part).map((node) => ({ node, gradient: local.take(node)! }));
  });
}

interface Case {
  readonly members: number;
  readonly batchRows: number;
  readonly microbatches: number;
  readonly gradientCount: number;
  readonly precision: WirePrecision;
}

/** A step whose leaves are shared out by chance. */
function stepOf(
  chance: Chance,
  numbers: readonly number[],
  tree: ReductionTree,
  { gradientCount, precision }: Case,
) {
  const gradients = Array.from({ length: tree.microbatches }, () =>
    randomVector(gradientCount, chance, precision),
  );
  const present = new Map(tree.leaves.map((leaf) => [leaf, gradients[leaf]!]));
  const expected = summed(tree, present).sum!;
  const shares = new Map(numbers.map((number) => [number, [] as number[]]));
  for (const leaf of tree.leaves) shares.get(chance.pick(numbers))!.push(leaf);
  const held = new Map(
    numbers.map((number) => [number, nodesOf(tree, gradients, shares.get(number)!, chance)]),
  );
  const nodes = [...held].flatMap(([member, list]) => list.map(({ node }) => ({ node, member })));
  return { gradients, expected, shares, held, nodes };
}

function drawCase(chance: Chance): Case {
  const microbatches = 1 + chance.below(9);
  return {
    members: 1 + chance.below(5),
    batchRows: 1 + chance.below(12),
    microbatches,
    gradientCount: 1 + chance.below(40),
    precision: chance.pick(['float32', 'bfloat16']),
  };
}

function groupOf({ members, microbatches, gradientCount, precision }: Case, chance: Chance) {
  const numbers = Array.from({ length: members }, (_, place) => place + 1);
  const group = new ExchangeGroup(
    numbers,
    { precision, gradientCount, momentBlocks: [], weightCount: 7, microbatches },
    chance,
  );
  group.tell((exchange) => exchange.setPeers(numbers));
  return { group, numbers };
}

const seeds = Array.from({ length: 60 }, (_, seed) => seed);

describe('a step', () => {
  test.each(seeds)('has the bits of one process, whatever arrives when (seed %i)', async (seed) => {
    const chance = new Chance(seed);
    const drawn = drawCase(chance);
    const { group, numbers } = groupOf(drawn, chance);
    const tree = new ReductionTree(drawn.batchRows, drawn.microbatches);
    for (const step of [0, 1, 2]) {
      const { expected, held, nodes } = stepOf(chance, numbers, tree, drawn);
      const plan = cut(drawn.gradientCount, numbers);
      const ranges = [...plan];
      group.tell((exchange) => exchange.planStep({ position: position(step), ranges }));
      for (const [member, list] of held) {
        for (const { node, gradient } of list) {
          group.member(member).inputs.push((exchange) => exchange.hold(position(step), node, gradient));
        }
      }
      // The coordinator names the nodes only when it knows of all of them.
      await group.run(chance.below(50));
      for (const { number, inputs } of group.members.values()) {
        if (held.get(number)!.length === 0 || chance.happens(0.5)) await group.run(chance.below(20));
        inputs.push((exchange) => exchange.reduce(reduceOf(step, 1, tree, nodes)));
      }
      await group.run();
      for (const { range, owner } of plan) {
        expect(group.member(owner).sumOf(range)).toEqual(expected.slice(range.start, range.end));
      }
      expect(group.failures).toEqual([]);
    }
  });

  test.each(seeds)(
    'goes on with those that are left when a member is lost at any time (seed %i)',
    async (seed) => {
      const chance = new Chance(seed, 1);
      const drawn = { ...drawCase(chance), members: 2 + chance.below(4) };
      const { group, numbers } = groupOf(drawn, chance);
      const tree = new ReductionTree(drawn.batchRows, drawn.microbatches);
      const { expected, gradients, held, nodes, shares } = stepOf(chance, numbers, tree, drawn);
      const first = cut(drawn.gradientCount, numbers);
      group.tell((exchange) => exchange.planStep({ position: position(0), ranges: first }));
      for (const [member, list] of held) {
        for (const { node, gradient } of list) {
          group.member(member).inputs.push((exchange) => exchange.hold(position(0), node, gradient));
        }
      }
      if (chance.happens(0.5)) group.tell((exchange) => exchange.reduce(reduceOf(0, 1, tree, nodes)));
      await group.run(chance.below(80));

      const lost = chance.pick(numbers);
      const sent = group.member(lost).sums;
      group.leave(lost);
      const left = numbers.filter((number) => number !== lost);
      group.tell((exchange) => exchange.setPeers(left));
      // The leaves of the lost member go to another.
      const heir = chance.pick(left);
      const again = nodesOf(tree, gradients, shares.get(lost)!, chance);
      // Ranges that have a sum are no part of the new plan. Some of the others are cut anew.
      const sums = [...group.members.values()].flatMap((member) => member.sums).concat(sent);
      const hasSum = ({ start, end }: { start: number; end: number }) =>
        sums.some(({ range }) => range.start === start && range.end === end);
      const second = first
        .filter(({ range }) => !hasSum(range))
        .flatMap((each) =>
          each.owner === lost || chance.happens(0.3)
            ? cut(drawn.gradientCount, chance.happens(0.5) ? left : [chance.pick(left)], each.range)
            : [each],
        );
      group.tell((exchange) => exchange.planStep({ position: position(0), ranges: second }));
      for (const { node, gradient } of again) {
        group.member(heir).inputs.push((exchange) => exchange.hold(position(0), node, gradient));
      }
      const present = [
        ...nodes.filter(({ member }) => member !== lost),
        ...again.map(({ node }) => ({ node, member: heir })),
      ];
      group.tell((exchange) => exchange.reduce(reduceOf(0, 2, tree, present)));
      if (chance.happens(0.5)) group.repeat(chance.pick(left), chance.pick(left));
      await group.run();
      for (const { range, owner } of second) {
        expect(group.member(owner).sumOf(range)).toEqual(expected.slice(range.start, range.end));
      }
      for (const { range, sum } of sums) expect(sum).toEqual(expected.slice(range.start, range.end));
      expect(group.failures).toEqual([]);
    },
  );
});
