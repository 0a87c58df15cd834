import type { Clock } from '../../clock.js';
import { nodeKey, ReductionTree, type TreeNode } from '../../reduction/tree.js';
import { TransportError } from '../../transport/error.js';
import type { Position__Output } from '../../transport/generated/fcaenet/v1/Position.js';
import type { Reduce__Output } from '../../transport/generated/fcaenet/v1/Reduce.js';
import type { TransferMemory } from '../../transport/transfer-memory.js';
import type { WireVector } from '../../transport/wire-vector.js';
import { bytesOfElements, elementsOf } from './elements.js';
import { sumOfNodes } from './node-sum.js';
import type { NodeVector } from './node-vector.js';
import type { ExchangeOutput } from './output.js';
import { type ElementRange, type OwnedElements, rangeKey } from './ranges.js';

interface Reduction {
  readonly attempt: number;
  readonly tree: ReductionTree;
  readonly nodes: readonly { readonly node: TreeNode; readonly member: number }[];
  readonly sinceMs: number;
}

/** One step's gradient: the nodes that this worker holds, and the ranges that it adds. */
export class StepExchange {
  /** Null before the first plan. */
  private plan: readonly OwnedElements[] | null = null;
  /** This worker's of the plan. */
  private own: readonly OwnedElements[] = [];
  /** Own ranges of every plan: a later plan may name one again, and whoever sent its parts does not send them twice. */
  private readonly everOwn = new Set<string>();
  private readonly held = new Map<string, { readonly node: TreeNode; readonly gradient: WireVector }>();
  private readonly parts = new Map<string, WireVector>();
  /** What each member was sent. */
  private readonly sent = new Map<number, Set<string>>();
  private reduction: Reduction | null = null;
  /** The attempt under which each range was added last. */
  private readonly summed = new Map<string, number>();

  constructor(
    readonly position: Position__Output,
    private readonly self: number,
    private readonly vector: NodeVector,
    private readonly peers: ReadonlySet<number>,
    private readonly memory: TransferMemory<ArrayBufferLike>,
    private readonly output: ExchangeOutput,
    private readonly clock: Pick<Clock, 'nowMs'>,
  ) {}

  /** Keeps a node's gradient until the end of the step and sends its ranges. */
  hold(node: TreeNode, gradient: WireVector): void {
    const key = nodeKey(node);
    if (this.held.has(key)) {
      this.output.release(gradient.buffer);
      return;
    }
    this.held.set(key, { node, gradient });
    this.send();
    this.add();
  }

  follow(plan: readonly OwnedElements[]): void {
    this.plan = plan;
    this.own = plan.filter(({ owner }) => owner === this.self);
    for (const range of this.own) this.everOwn.add(rangeKey(range));
    this.send();
    this.add();
  }

  /** @throws TransportError TRANSPORT_BAD_MESSAGE when the nodes are not exactly the step's microbatches */
  reduce(message: Reduce__Output): void {
    const { attempt, batchRows, microbatches } = message;
    if (this.reduction && attempt <= this.reduction.attempt) return;
    const tree = new ReductionTree(batchRows, microbatches);
    const nodes = message.nodes.map(({ node, member }) => ({ node: node ?? { level: 0, index: 0 }, member }));
    const leaves = nodes.flatMap(({ node }) => (tree.contains(node) ? tree.leavesUnder(node) : []));
    leaves.sort((left, right) => left - right);
    if (leaves.length === 0 || String(leaves) !== String(tree.leaves)) {
      throw new TransportError(
        'TRANSPORT_BAD_MESSAGE',
        `a request to add nodes names microbatches ${leaves}, expected each of ${tree.leaves} once`,
      );
    }
    this.reduction = { attempt, tree, nodes, sinceMs: this.clock.nowMs() };
    this.add();
  }

  /** Whether a part is to be received: null while no plan says so. */
  wants(sender: number, node: TreeNode, range: ElementRange): boolean | null {
    if (!this.everOwn.has(rangeKey(range))) return null;
    return !this.parts.has(partKey(sender, node, range));
  }

  /** Keeps the bytes of a part that is wanted. */
  receive(sender: number, node: TreeNode, range: ElementRange, bytes: Uint8Array): void {
    this.parts.set(partKey(sender, node, range), elementsOf(bytes, this.vector.precision));
    if (this.own.some(({ start, end }) => start === range.start && end === range.end)) this.addRange(range);
  }

  /** Sends what the plan asks for and the peers have not got. */
  send(): void {
    for (const { node, gradient } of this.held.values()) {
      for (const { owner, start, end } of this.plan ?? []) {
        if (owner === this.self || !this.peers.has(owner)) continue;
        const range = { start, end };
        const key = partKey(this.self, node, range);
        const sent = this.sent.get(owner) ?? new Set();
        if (sent.has(key)) continue;
        this.sent.set(owner, sent.add(key));
        const bytes = bytesOfElements(gradient, range);
        this.output.send(owner, { kind: 'node', position: this.position, node, range, bytes });
      }
    }
  }

  /** Sends everything again that the plan asks for, because the member may lack it. */
  sendAgain(member: number): void {
    this.sent.delete(member);
    this.send();
  }

  release(): void {
    for (const { gradient } of this.held.values()) this.output.release(gradient.buffer);
    for (const { buffer } of this.parts.values()) this.memory.give(buffer);
  }

  /** Adds the ranges whose parts are all there. */
  private add(): void {
    for (const { start, end } of this.own) this.addRange({ start, end });
  }

  /** Adds a range whose parts are all there. */
  private addRange(range: ElementRange): void {
    if (!this.reduction) return;
    const { attempt, tree, nodes, sinceMs } = this.reduction;
    if (this.summed.get(rangeKey(range)) === attempt) return;
    const parts = new Map<string, WireVector>();
    for (const { node, member } of nodes) {
      const part = this.partOf(member, node, range);
      if (!part) return;
      parts.set(nodeKey(node), part);
    }
    const sum = sumOfNodes(tree, parts, this.memory, this.vector.adderOf(range));
    this.summed.set(rangeKey(range), attempt);
    const reduceSeconds = (this.clock.nowMs() - sinceMs) / 1000;
    this.output.sum({ position: this.position, range, attempt, reduceSeconds, sum });
  }

  private partOf(member: number, node: TreeNode, range: ElementRange): WireVector | undefined {
    if (member !== this.self) return this.parts.get(partKey(member, node, range));
    return this.held.get(nodeKey(node))?.gradient.subarray(range.start, range.end);
  }
}

function partKey(member: number, node: TreeNode, range: ElementRange): string {
  return `${member} ${nodeKey(node)} ${rangeKey(range)}`;
}
