import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { StepReduction } from '../../src/reduction/step-reduction.js';
import { ReductionTree, type TreeNode } from '../../src/reduction/tree.js';

/** The sum as the definition gives it: recursion over the whole tree, absent nodes left out. */
function definition(tree: ReductionTree, values: Float32Array, node: TreeNode = tree.root): number | null {
  if (node.level === 0) return tree.leavesUnder(node).length ? values[node.index]! : null;
  const left = definition(tree, values, { level: node.level - 1, index: 2 * node.index });
  const right = definition(tree, values, { level: node.level - 1, index: 2 * node.index + 1 });
  if (left === null || right === null) return left ?? right;
  return Math.fround(left + right);
}

const add = (left: number, right: number) => Math.fround(left + right);

/** What a worker does with the leaves it was given: sums locally and sends the fewest nodes. */
function workerNodes(tree: ReductionTree, values: Float32Array, leaves: number[]): [TreeNode, number][] {
  const local = new StepReduction<number>(tree, add);
  for (const leaf of leaves) local.fill({ level: 0, index: leaf }, values[leaf]!);
  return tree.cover(leaves).map((node) => {
    const sum = local.take(node);
    if (sum === undefined) throw new Error(`node ${node.level}/${node.index} was not complete`);
    return [node, sum];
  });
}

const leafValues = (microbatches: number) =>
  fc
    .array(fc.float({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }), {
      minLength: microbatches,
      maxLength: microbatches,
    })
    .map((numbers) => Float32Array.from(numbers));

describe('reduction tree', () => {
  test('leaves partition every batch of 1 to 130 rows into 1 to 16 microbatches', () => {
    for (let rows = 1; rows <= 130; rows++) {
      for (let microbatches = 1; microbatches <= 16; microbatches++) {
        const tree = new ReductionTree(rows, microbatches);
        let next = 0;
        for (let leaf = 0; leaf < microbatches; leaf++) {
          const { start, end } = tree.rowsOf(leaf);
          expect(start).toBe(next);
          next = end;
        }
        expect(next).toBe(rows);
        expect(tree.leaves.length).toBe(Math.min(rows, microbatches));
        expect(tree.cover(tree.leaves)).toEqual([tree.root]);
      }
    }
  });

  test('three workers hold 3, 3 and 2 of eight microbatches and send five nodes', () => {
    const tree = new ReductionTree(64, 8);
    const nodes = [
      [0, 1, 2],
      [3, 4, 5],
      [6, 7],
    ].map((leaves) => tree.cover(leaves));
    expect(nodes).toEqual([
      [
        { level: 1, index: 0 },
        { level: 0, index: 2 },
      ],
      [
        { level: 0, index: 3 },
        { level: 1, index: 2 },
      ],
      [{ level: 1, index: 3 }],
    ]);
  });

  test('equal bits for every size, every partition over workers and every re-dispatch', () => {
    const cases = fc
      .record({ rows: fc.integer({ min: 1, max: 130 }), microbatches: fc.integer({ min: 1, max: 16 }) })
      .chain(({ rows, microbatches }) =>
        fc.record({
          rows: fc.constant(rows),
          values: leafValues(microbatches),
          owners: fc.array(fc.nat(4), { minLength: microbatches, maxLength: microbatches }),
          // Second owners: who computes a leaf when its node got lost on the way.
          secondOwners: fc.array(fc.nat(4), { minLength: microbatches, maxLength: microbatches }),
          lost: fc.array(fc.boolean(), { minLength: 2 * microbatches, maxLength: 2 * microbatches }),
          order: fc.array(fc.nat(1000), { minLength: 2 * microbatches, maxLength: 2 * microbatches }),
        }),
      );
    fc.assert(
      fc.property(cases, ({ rows, values, owners, secondOwners, lost, order }) => {
        const tree = new ReductionTree(rows, values.length);
        const reduction = new StepReduction<number>(tree, add);
        const dispatch = (leaves: readonly number[], ownerOf: number[], drop: boolean[]) => {
          const sent = [0, 1, 2, 3, 4].flatMap((owner) =>
            workerNodes(
              tree,
              values,
              leaves.filter((leaf) => ownerOf[leaf] === owner),
            ),
          );
          const arrivals = sent
            .map((arrival, i) => ({ arrival, rank: order[i]!, dropped: drop[i]! }))
            .sort((a, b) => a.rank - b.rank);
          for (const { arrival, dropped } of arrivals) {
            if (dropped) continue;
            reduction.fill(...arrival);
            expect(reduction.fill(...arrival)).toBe(false);
          }
        };
        dispatch(tree.leaves, owners, lost);
        dispatch(reduction.missingLeaves(), secondOwners, lost.toReversed());
        // A straggler computed everything and answers late, as one node.
        if (order[0]! % 2) reduction.fill(tree.root, definition(tree, values)!);
        dispatch(
          reduction.missingLeaves(),
          owners,
          lost.map(() => false),
        );
        expect(reduction.missingLeaves()).toEqual([]);
        expect(reduction.sum).toBe(definition(tree, values));
      }),
      { numRuns: 3000 },
    );
  });

  test('a tree knows exactly the nodes that hold microbatches', () => {
    for (let microbatches = 1; microbatches <= 16; microbatches++) {
      const tree = new ReductionTree(3, microbatches);
      const known: string[] = [];
      const expected: string[] = [];
      for (let level = 0; level <= 6; level++) {
        for (let index = 0; index <= 20; index++) {
          if (tree.contains({ level, index })) known.push(`${level}/${index}`);
        }
        if (2 ** (level - 1) >= microbatches && level > 0) continue;
        for (let index = 0; index < Math.ceil(microbatches / 2 ** level); index++) {
          expected.push(`${level}/${index}`);
        }
      }
      expect(known).toEqual(expected);
    }
    const tree = new ReductionTree(64, 8);
    expect(tree.contains({ level: -1, index: 0 })).toBe(false);
    expect(tree.contains({ level: 0, index: 0.5 })).toBe(false);
  });

  test('rows under a node are those of its microbatches, to the last one that there is', () => {
    const tree = new ReductionTree(10, 5);
    expect(tree.rowsUnder({ level: 0, index: 3 })).toEqual({ start: 6, end: 8 });
    expect(tree.rowsUnder({ level: 1, index: 1 })).toEqual({ start: 4, end: 8 });
    expect(tree.rowsUnder({ level: 2, index: 1 })).toEqual({ start: 8, end: 10 });
    expect(tree.rowsUnder(tree.root)).toEqual({ start: 0, end: 10 });
  });

  test('a node can be taken out once, and its microbatches are missing from then on', () => {
    const reduction = new StepReduction<string>(new ReductionTree(8, 4), (left, right) => left + right);
    reduction.fill({ level: 1, index: 0 }, 'ab');
    expect(reduction.take({ level: 0, index: 0 })).toBeUndefined();
    expect(reduction.take({ level: 1, index: 0 })).toBe('ab');
    expect(reduction.take({ level: 1, index: 0 })).toBeUndefined();
    expect(reduction.missingLeaves()).toEqual([0, 1, 2, 3]);
    expect(reduction.sum).toBeNull();
  });

  test('the left node stays left, whichever arrives first', () => {
    for (const order of [
      [0, 1, 2, 3],
      [3, 2, 1, 0],
      [2, 0, 3, 1],
    ]) {
      const reduction = new StepReduction<string>(
        new ReductionTree(8, 4),
        (left, right) => `(${left}+${right})`,
      );
      for (const leaf of order) reduction.fill({ level: 0, index: leaf }, 'abcd'[leaf]!);
      expect(reduction.sum).toBe('((a+b)+(c+d))');
    }
  });

  test('a part is no longer there once the whole has arrived', () => {
    const reduction = new StepReduction<string>(new ReductionTree(8, 4), (left, right) => left + right);
    reduction.fill({ level: 0, index: 1 }, 'b');
    reduction.fill({ level: 0, index: 2 }, 'c');
    reduction.fill({ level: 1, index: 0 }, 'ab');
    expect(reduction.take({ level: 0, index: 1 })).toBeUndefined();
    expect(reduction.take({ level: 0, index: 2 })).toBe('c');
  });

  test('a node that contains parts which arrived earlier replaces them', () => {
    const tree = new ReductionTree(8, 4);
    const reduction = new StepReduction<string>(tree, (left, right) => `(${left}+${right})`);
    expect(reduction.fill({ level: 0, index: 1 }, 'b')).toBe(true);
    expect(reduction.fill({ level: 1, index: 0 }, '(a+b)')).toBe(true);
    expect(reduction.fill({ level: 0, index: 0 }, 'a')).toBe(false);
    expect(reduction.fill({ level: 1, index: 1 }, '(c+d)')).toBe(true);
    expect(reduction.sum).toBe('((a+b)+(c+d))');
  });

  test.each([
    [{ level: 4, index: 0 }],
    [{ level: 0, index: 8 }],
    [{ level: 1, index: -1 }],
    [{ level: 0.5, index: 0 }],
  ])('node %j is unknown to a tree of eight microbatches', (node) => {
    expect(new ReductionTree(64, 8).contains(node)).toBe(false);
  });
});
