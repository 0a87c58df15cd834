import { nodeKey, type ReductionTree, type TreeNode } from '../../reduction/tree.js';
import { bytesOf, copyBytes } from '../../transport/bytes.js';
import type { TransferMemory } from '../../transport/transfer-memory.js';
import { formatOf, type WireVector } from '../../transport/wire-vector.js';
import { elementsOf } from './elements.js';

/** A sum on its way up the tree. `isOwn` says that its memory may be written. */
interface Partial {
  readonly values: WireVector;
  readonly isOwn: boolean;
}

/**
 * The sum of one range over the whole tree: each node is left + right, absent nodes are skipped. The order depends on
 * the tree only.
 * @param parts the range of each node by {@link nodeKey}; the nodes' leaves are disjoint and all of the tree's. They
 * are not changed.
 * @param memory where the sum is made
 * @param add left = left + right; the left one is at the start of an aligned buffer
 * @returns in memory of its own
 */
export function sumOfNodes(
  tree: ReductionTree,
  parts: ReadonlyMap<string, WireVector>,
  memory: TransferMemory<ArrayBufferLike>,
  add: (left: WireVector, right: WireVector) => void,
): WireVector {
  const copy = (values: WireVector): WireVector => {
    const bytes = memory.take(values.byteLength);
    copyBytes(bytesOf(values), bytes);
    return elementsOf(bytes, formatOf(values));
  };
  const sum = (node: TreeNode): Partial | null => {
    const part = parts.get(nodeKey(node));
    if (part) return { values: part, isOwn: false };
    if (tree.leavesUnder(node).length === 0) return null;
    const child = (side: 0 | 1) => sum({ level: node.level - 1, index: 2 * node.index + side });
    const [left, right] = [child(0), child(1)];
    if (!left || !right) return left ?? right;
    const values = left.isOwn ? left.values : copy(left.values);
    add(values, right.values);
    if (right.isOwn) memory.give(right.values.buffer);
    return { values, isOwn: true };
  };
  const { values, isOwn } = sum(tree.root)!;
  return isOwn ? values : copy(values);
}
