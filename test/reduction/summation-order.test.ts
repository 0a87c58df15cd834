import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { StepReduction } from '../../src/reduction/step-reduction.js';
import { summationOrder } from '../../src/reduction/summation-order.js';
import { nodeKey, ReductionTree } from '../../src/reduction/tree.js';

const add = (left: number, right: number) => Math.fround(left + right);

/** A value of its own for each leaf, in which every order of additions rounds differently. */
const leafValue = (leaf: number) => Math.fround(Math.sin(leaf * 12.9898) * 10 ** (leaf % 7));

/** What a worker gives that follows the order on a stack. */
function summed(tree: ReductionTree, leaves: readonly number[], mostKept: number) {
  const stack: number[] = [];
  const nodes = new Map<string, number>();
  for (const { leaf, kept, merged, completes } of summationOrder(tree, leaves, mostKept)) {
    expect(stack).toHaveLength(kept);
    expect(kept).toBeLessThanOrEqual(mostKept);
    let sum = leafValue(leaf);
    for (let i = 0; i < merged; i++) sum = add(stack.pop()!, sum);
    if (completes) nodes.set(nodeKey(completes), sum);
    else stack.push(sum);
  }
  expect(stack).toEqual([]);
  return nodes;
}

const problems = fc
  .record({ batchRows: fc.integer({ min: 1, max: 70 }), microbatches: fc.integer({ min: 1, max: 40 }) })
  .chain(({ batchRows, microbatches }) => {
    const tree = new ReductionTree(batchRows, microbatches);
    return fc.record({
      tree: fc.constant(tree),
      leaves: fc.shuffledSubarray([...tree.leaves], { minLength: 1 }),
    });
  });

describe('the order in which a worker sums', () => {
  test('gives the fewest nodes that cover its microbatches, with the bits of the tree', () => {
    fc.assert(
      fc.property(problems, ({ tree, leaves }) => {
        const reduction = new StepReduction<number>(tree, add);
        for (const leaf of leaves) reduction.fill({ level: 0, index: leaf }, leafValue(leaf));
        const expected = tree.cover(leaves).map((node) => [nodeKey(node), reduction.take(node)]);
        expect([...summed(tree, leaves, Number.POSITIVE_INFINITY)]).toEqual(expected);
      }),
    );
  });

  test('never keeps more sums than it may, and the whole sum has the same bits then', () => {
    fc.assert(
      fc.property(problems, fc.integer({ min: 0, max: 3 }), ({ tree, leaves }, mostKept) => {
        const whole = new StepReduction<number>(tree, add);
        for (const leaf of tree.leaves) whole.fill({ level: 0, index: leaf }, leafValue(leaf));
        const rest = tree.leaves.filter((leaf) => !leaves.includes(leaf));
        const parts = new StepReduction<number>(tree, add);
        for (const share of [leaves, rest]) {
          for (const [key, sum] of summed(tree, share, mostKept)) {
            const [level, index] = key.split('/').map(Number) as [number, number];
            parts.fill({ level, index }, sum);
          }
        }
        expect(parts.sum).toBe(whole.sum);
      }),
    );
  });

  test('keeps at most four sums for the sixteen microbatches of one node', () => {
    const tree = new ReductionTree(16, 16);
    const steps = summationOrder(tree, tree.leaves, 4);
    expect(Math.max(...steps.map(({ kept }) => kept))).toBe(4);
    expect(steps.filter(({ completes }) => completes)).toEqual([
      { leaf: 15, kept: 4, merged: 4, completes: tree.root },
    ]);
  });
});
