import { nodeKey, type ReductionTree, type TreeNode } from './tree.js';

/**
 * Sums the nodes of one step's tree as they arrive, in any order and from any worker. The first arrival fills a node. A
 * node is either filled or derived from its children, never both. Siblings merge when both are present.
 */
export class StepReduction<Payload> {
  /**
   * Complete nodes that are not part of another complete node. They are disjoint, and together hold the completed
   * leaves.
   */
  private readonly frontier = new Map<string, { node: TreeNode; payload: Payload }>();

  /** @param merge left + right in that order; may reuse the left payload's memory */
  constructor(
    readonly tree: ReductionTree,
    private readonly merge: (left: Payload, right: Payload) => Payload,
  ) {}

  /**
   * Offers the sum of one node.
   * @returns false when everything under the node is already present, and the payload was not used
   */
  fill(node: TreeNode, payload: Payload): boolean {
    const missing = new Set(this.missingLeaves());
    if (!this.tree.leavesUnder(node).some((leaf) => missing.has(leaf))) return false;
    // The whole node replaces parts of it that others sent. The bits are the same.
    for (const [key, held] of this.frontier) {
      if (held.node.level < node.level && held.node.index >> (node.level - held.node.level) === node.index) {
        this.frontier.delete(key);
      }
    }
    this.promote(node, payload);
    return true;
  }

  /** Removes a complete node, if it exists. It counts as missing from then on. */
  take(node: TreeNode): Payload | undefined {
    const held = this.frontier.get(nodeKey(node));
    this.frontier.delete(nodeKey(node));
    return held?.payload;
  }

  /** Present leaves that no arrival covers yet, ascending. */
  missingLeaves(): number[] {
    const done = new Set<number>();
    for (const { node } of this.frontier.values()) {
      for (const leaf of this.tree.leavesUnder(node)) done.add(leaf);
    }
    return this.tree.leaves.filter((leaf) => !done.has(leaf));
  }

  /** The sum over the whole batch, when every present leaf has arrived. */
  get sum(): Payload | null {
    return this.frontier.get(nodeKey(this.tree.root))?.payload ?? null;
  }

  private promote(node: TreeNode, payload: Payload): void {
    let current = node;
    let sum = payload;
    while (current.level < this.tree.root.level) {
      const sibling: TreeNode = { level: current.level, index: current.index ^ 1 };
      if (this.tree.leavesUnder(sibling).length > 0) {
        const other = this.frontier.get(nodeKey(sibling));
        if (!other) break;
        this.frontier.delete(nodeKey(sibling));
        sum = current.index % 2 === 0 ? this.merge(sum, other.payload) : this.merge(other.payload, sum);
      }
      current = { level: current.level + 1, index: current.index >> 1 };
    }
    this.frontier.set(nodeKey(current), { node: current, payload: sum });
  }
}
