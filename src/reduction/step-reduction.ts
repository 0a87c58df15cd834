import { nodeKey, type ReductionTree, type TreeNode } from './tree.js';

/**
 * Sums the nodes of one step's tree as they arrive, in any order and from anyone. The first arrival fills a node;
 * a node is either filled or derived from its children, never both; siblings merge as soon as both are there.
 */
export class StepReduction<Payload> {
  /** Complete nodes that no complete node contains: disjoint, and together the leaves that are done. */
  private readonly frontier = new Map<string, { node: TreeNode; payload: Payload }>();

  /** @param merge left + right in that order; may reuse the left payload's memory */
  constructor(
    readonly tree: ReductionTree,
    private readonly merge: (left: Payload, right: Payload) => Payload,
  ) {}

  /**
   * Offers the sum of one node.
   * @returns false when everything under the node was there already, and the payload was not used
   */
  fill(node: TreeNode, payload: Payload): boolean {
    const missing = new Set(this.missingLeaves());
    if (!this.tree.leavesUnder(node).some((leaf) => missing.has(leaf))) return false;
    // Parts of this node may have come from others; the whole replaces them, with the same bits.
    for (const [key, held] of this.frontier) {
      if (held.node.level < node.level && held.node.index >> (node.level - held.node.level) === node.index) {
        this.frontier.delete(key);
      }
    }
    this.promote(node, payload);
    return true;
  }

  /** Takes a complete node out, if there is one of that name; it counts as missing from then on. */
  take(node: TreeNode): Payload | undefined {
    const held = this.frontier.get(nodeKey(node));
    this.frontier.delete(nodeKey(node));
    return held?.payload;
  }

  /** Present leaves that no arrival has covered yet, ascending. */
  missingLeaves(): number[] {
    const done = new Set<number>();
    for (const { node } of this.frontier.values()) {
      for (const leaf of this.tree.leavesUnder(node)) done.add(leaf);
    }
    return this.tree.leaves.filter((leaf) => !done.has(leaf));
  }

  /** The sum over the whole batch, once every present leaf has arrived. */
  get sum(): Payload | undefined {
    return this.frontier.get(nodeKey(this.tree.root))?.payload;
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
