import type { ReductionTree, TreeNode } from './tree.js';

/** How one microbatch enters the sums of its worker, which lie on a stack. */
export interface SummationStep {
  readonly leaf: number;
  /** Sums on the stack before it. */
  readonly kept: number;
  /** How many of them are added to it, the last one first. */
  readonly merged: number;
  /** The node that is complete with it and leaves the stack; null when the sum is kept. */
  readonly completes: TreeNode | null;
}

/**
 * The order in which a worker computes and sums some microbatches: rows ascending, each sum as soon as both of its parts
 * are there. The completed nodes are the fewest that cover the microbatches and need no higher stack.
 * @param leaves present leaves
 * @param mostKept the most sums on the stack
 */
export function summationOrder(
  tree: ReductionTree,
  leaves: Iterable<number>,
  mostKept: number,
): SummationStep[] {
  const nodeSteps = (node: TreeNode): SummationStep[] => {
    const under = stepsUnder(tree, node);
    if (under.some(({ kept }) => kept > mostKept)) return childrenOf(node).flatMap(nodeSteps);
    return under.map((step, index) => (index === under.length - 1 ? { ...step, completes: node } : step));
  };
  return tree.cover(leaves).flatMap(nodeSteps);
}

function childrenOf({ level, index }: TreeNode): [TreeNode, TreeNode] {
  return [
    { level: level - 1, index: 2 * index },
    { level: level - 1, index: 2 * index + 1 },
  ];
}

/** The steps that leave a node's sum as the last result; none for an absent node. */
function stepsUnder(tree: ReductionTree, node: TreeNode): SummationStep[] {
  const present = tree.leavesUnder(node);
  if (present.length === 0) return [];
  if (node.level === 0) return [{ leaf: node.index, kept: 0, merged: 0, completes: null }];
  const [left, right] = childrenOf(node).map((child) => stepsUnder(tree, child)) as [
    SummationStep[],
    SummationStep[],
  ];
  if (left.length === 0 || right.length === 0) return [...left, ...right];
  const behind = right.map((step, index) => ({
    ...step,
    kept: step.kept + 1,
    merged: step.merged + (index === right.length - 1 ? 1 : 0),
  }));
  return [...left, ...behind];
}
