/**
 * The fixed pairwise tree over the microbatches of one batch. Level 0 holds the leaves (microbatches). Node (l, i) is
 * the sum of (l−1, 2i) and (l−1, 2i+1). The tree depends only on the batch's rows and the number of microbatches. It
 * does not depend on which worker computes what, and so neither does the sum.
 */
export interface TreeNode {
  readonly level: number;
  readonly index: number;
}

/** Half-open range of rows of a batch. */
export interface RowRange {
  readonly start: number;
  readonly end: number;
}

export function nodeKey(node: TreeNode): string {
  return `${node.level}/${node.index}`;
}

export class ReductionTree {
  /** Leaves with rows, ascending. A leaf without rows is absent; a node with one present child equals that child. */
  readonly leaves: readonly number[];
  readonly root: TreeNode;

  /**
   * @param batchRows B, real rows of the batch
   * @param microbatches M, number of microbatches of every batch, whatever its size
   */
  constructor(
    readonly batchRows: number,
    readonly microbatches: number,
  ) {
    this.leaves = Array.from({ length: microbatches }, (_, leaf) => leaf).filter(
      (leaf) => this.rowCount(leaf) > 0,
    );
    this.root = { level: Math.ceil(Math.log2(microbatches)), index: 0 };
  }

  /** Leaf i is rows [⌊iB/M⌋, ⌊(i+1)B/M⌋) of the batch. */
  rowsOf(leaf: number): RowRange {
    const { batchRows, microbatches } = this;
    return {
      start: Math.floor((leaf * batchRows) / microbatches),
      end: Math.floor(((leaf + 1) * batchRows) / microbatches),
    };
  }

  rowCount(leaf: number): number {
    const { start, end } = this.rowsOf(leaf);
    return end - start;
  }

  /** Whether the node exists in this tree, present or absent. */
  contains({ level, index }: TreeNode): boolean {
    return (
      Number.isInteger(level) &&
      Number.isInteger(index) &&
      level >= 0 &&
      index >= 0 &&
      level <= this.root.level &&
      index * 2 ** level < this.microbatches
    );
  }

  /** Present leaves under a node, ascending; none for an absent node. */
  leavesUnder({ level, index }: TreeNode): number[] {
    const first = index * 2 ** level;
    const end = first + 2 ** level;
    return this.leaves.filter((leaf) => leaf >= first && leaf < end);
  }

  /** Rows of the batch that a node covers. */
  rowsUnder(node: TreeNode): RowRange {
    const first = node.index * 2 ** node.level;
    const last = Math.min(first + 2 ** node.level, this.microbatches) - 1;
    return { start: this.rowsOf(first).start, end: this.rowsOf(last).end };
  }

  /** The smallest set of nodes whose leaves are exactly the given present leaves, in row order. */
  cover(leaves: Iterable<number>): TreeNode[] {
    const held = new Set(leaves);
    const nodes: TreeNode[] = [];
    const visit = (node: TreeNode): void => {
      const under = this.leavesUnder(node);
      if (!under.some((leaf) => held.has(leaf))) return;
      if (under.every((leaf) => held.has(leaf))) {
        nodes.push(node);
        return;
      }
      visit({ level: node.level - 1, index: 2 * node.index });
      visit({ level: node.level - 1, index: 2 * node.index + 1 });
    };
    visit(this.root);
    return nodes;
  }
}
