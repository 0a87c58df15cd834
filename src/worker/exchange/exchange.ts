import type { Clock } from '../../clock.js';
import { ReductionTree, type TreeNode } from '../../reduction/tree.js';
import type { WirePrecision } from '../../run/training-run.js';
import { TransportError } from '../../transport/error.js';
import type { ExchangePlan__Output } from '../../transport/generated/fcaenet/v1/ExchangePlan.js';
import type { NodeRange__Output } from '../../transport/generated/fcaenet/v1/NodeRange.js';
import type { Position__Output } from '../../transport/generated/fcaenet/v1/Position.js';
import type { Reduce__Output } from '../../transport/generated/fcaenet/v1/Reduce.js';
import type { WeightsPlan__Output } from '../../transport/generated/fcaenet/v1/WeightsPlan.js';
import type { WeightsRange__Output } from '../../transport/generated/fcaenet/v1/WeightsRange.js';
import type { TransferMemory } from '../../transport/transfer-memory.js';
import { type WireVector, wireBytes } from '../../transport/wire-vector.js';
import { NodeVector } from './node-vector.js';
import type { ExchangeOutput, PartName } from './output.js';
import { checkedPosition, comparePositions } from './positions.js';
import { checkedPlan, checkedRange, type ElementRange } from './ranges.js';
import { StepExchange } from './step-exchange.js';
import { WeightsExchange } from './weights-exchange.js';

/** What an exchange knows of its worker and of the run. */
export interface ExchangeShape {
  /** This worker's number. */
  readonly member: number;
  /** Of gradients and weights on the wire. The weights count as words of that size. */
  readonly precision: WirePrecision;
  /** Elements of a gradient. Behind it a node's vector has its moments, packed, as words of that size. */
  readonly gradientCount: number;
  /** `momentBlocks` of the network. */
  readonly momentBlocks: readonly number[];
  /** Elements of the weights: parameters, running means, running variances. */
  readonly weightCount: number;
  /** M, microbatches of every step. */
  readonly microbatches: number;
}

/** A part from a peer that waits until it is known whether anyone needs it. */
interface Waiting {
  readonly sender: number;
  readonly part: PartName;
  readonly resolve: (wanted: boolean) => void;
}

/**
 * One worker's side of the exchange of gradients and weights among workers, without the network: messages of the
 * coordinator and parts from peers go in, and what this worker has to send goes to the output. Nothing depends on the
 * order in which parts arrive.
 */
export class Exchange {
  private readonly peers = new Set<number>();
  private readonly weights: WeightsExchange;
  private readonly widestTree: ReductionTree;
  private readonly vector: NodeVector;
  private step: StepExchange | null = null;
  private waiting: Waiting[] = [];

  /** @param memory of received parts, sums and weights; given back when nothing here needs it */
  constructor(
    private readonly shape: ExchangeShape,
    private readonly memory: TransferMemory<ArrayBufferLike>,
    private readonly output: ExchangeOutput,
    private readonly clock: Pick<Clock, 'nowMs'>,
  ) {
    const { member, weightCount, microbatches } = shape;
    this.vector = new NodeVector(shape);
    this.weights = new WeightsExchange(member, weightCount, shape.precision, this.peers, memory, output);
    this.widestTree = new ReductionTree(microbatches, microbatches);
  }

  /** @param members those that take part, this worker among them or not */
  setPeers(members: Iterable<number>): void {
    const known = new Set(this.peers);
    this.peers.clear();
    for (const member of members) {
      if (member !== this.shape.member) this.peers.add(member);
    }
    for (const peer of this.peers) if (!known.has(peer)) this.weights.meet(peer);
    this.step?.send();
    this.weights.askForMissing();
    this.lookAgain();
  }

  /** @throws TransportError TRANSPORT_BAD_MESSAGE */
  planWeights({ version, ranges }: WeightsPlan__Output): void {
    this.weights.follow(version, checkedPlan(ranges, this.shape.weightCount, 'a plan of weights'));
    this.lookAgain();
  }

  /**
   * Takes a range of the weights from the coordinator.
   * @param bytes its wire form; copied
   * @throws TransportError TRANSPORT_BAD_MESSAGE
   */
  takeWeights(message: Omit<WeightsRange__Output, 'transfer'>, bytes: Uint8Array): void {
    const range = checkedRange(message.range, this.shape.weightCount, 'a range of weights');
    this.checkLength(range, bytes.byteLength, 'a range of weights');
    this.weights.receive(message.version, range, bytes, message.forward);
  }

  /** @throws TransportError TRANSPORT_BAD_MESSAGE */
  planStep({ position, ranges }: ExchangePlan__Output): void {
    const plan = checkedPlan(ranges, this.vector.length, 'a plan of an exchange');
    for (const range of plan) this.vector.check(range);
    this.enter(checkedPosition(position, 'a plan of an exchange'))?.follow(plan);
    this.lookAgain();
  }

  /** @throws TransportError TRANSPORT_BAD_MESSAGE */
  reduce(message: Reduce__Output): void {
    const { batchRows, microbatches } = message;
    if (microbatches !== this.shape.microbatches || batchRows < 1) {
      throw new TransportError(
        'TRANSPORT_BAD_MESSAGE',
        `a request to add nodes names ${batchRows} rows in ${microbatches} microbatches, expected rows in ${this.shape.microbatches}`,
      );
    }
    this.enter(checkedPosition(message.position, 'a request to add nodes'))?.reduce(message);
    this.lookAgain();
  }

  /**
   * Takes a gradient that this worker has computed.
   * @param gradient and moments behind it; kept until it is released
   */
  hold(position: Position__Output, node: TreeNode, gradient: WireVector): void {
    const step = this.enter(position);
    if (step) step.hold(node, gradient);
    else this.output.release(gradient.buffer);
    this.lookAgain();
  }

  /**
   * Whether a part that a peer announces is needed. Resolves when that is known: a peer that is ahead of the
   * coordinator's messages has to wait.
   */
  wants(sender: number, part: PartName): Promise<boolean> {
    const wanted = this.judge(sender, part);
    if (wanted !== null) return Promise.resolve(wanted);
    return new Promise((resolve) => this.waiting.push({ sender, part, resolve }));
  }

  /**
   * Takes a part that a peer has sent completely.
   * @param bytes from the memory, which gets it back
   */
  receive(sender: number, part: PartName, bytes: Uint8Array): void {
    if (!this.judge(sender, part)) this.memory.give(bytes.buffer);
    else if (part.kind === 'node') this.step!.receive(sender, part.node, part.range, bytes);
    else {
      this.weights.receive(part.version, part.range, bytes, false);
      this.memory.give(bytes.buffer);
    }
  }

  /** The part that a peer announces. @throws TransportError TRANSPORT_BAD_MESSAGE */
  namedNode({ position, node, range, transfer }: NodeRange__Output): PartName {
    const what = 'a range of a gradient';
    const part: PartName = {
      kind: 'node',
      position: checkedPosition(position, what),
      node: node ?? { level: 0, index: -1 },
      range: checkedRange(range, this.vector.length, what),
    };
    if (!this.widestTree.contains(part.node)) {
      const { level, index } = part.node;
      throw new TransportError(
        'TRANSPORT_BAD_MESSAGE',
        `${what} names node ${level}/${index}, expected one of ${this.shape.microbatches} microbatches`,
      );
    }
    this.checkLength(part.range, transfer?.byteLength, what);
    return part;
  }

  /** The part that a peer announces. @throws TransportError TRANSPORT_BAD_MESSAGE */
  namedWeights({ version, range, transfer }: WeightsRange__Output): PartName {
    const what = 'a range of weights';
    const checked = checkedRange(range, this.shape.weightCount, what);
    this.checkLength(checked, transfer?.byteLength, what);
    return { kind: 'weights', version, range: checked };
  }

  /** Sends everything again that the member may lack, because what was sent to it may be lost. */
  sendAgain(member: number): void {
    this.step?.sendAgain(member);
    this.weights.sendAgain(member);
  }

  /** Ends every wait. */
  close(): void {
    for (const { resolve } of this.waiting.splice(0)) resolve(false);
  }

  /** The state of a step, which replaces an earlier step's; null for a step before it. */
  private enter(position: Position__Output): StepExchange | null {
    const later = this.step === null ? 1 : comparePositions(position, this.step.position);
    if (later < 0) return null;
    if (later > 0) {
      this.step?.release();
      const { memory, output, clock } = this;
      this.step = new StepExchange(
        position,
        this.shape.member,
        this.vector,
        this.peers,
        memory,
        output,
        clock,
      );
    }
    return this.step;
  }

  private judge(sender: number, part: PartName): boolean | null {
    // The message that makes it a peer may still come, also for one that was a peer before.
    if (!this.peers.has(sender)) return null;
    if (part.kind === 'weights') return this.weights.wants(part.version, part.range);
    const later = this.step === null ? 1 : comparePositions(part.position, this.step.position);
    if (later !== 0) return later < 0 ? false : null;
    return this.step!.wants(sender, part.node, part.range);
  }

  private lookAgain(): void {
    this.waiting = this.waiting.filter(({ sender, part, resolve }) => {
      const wanted = this.judge(sender, part);
      if (wanted !== null) resolve(wanted);
      return wanted === null;
    });
  }

  private checkLength(range: ElementRange, byteLength: number | undefined, what: string): void {
    const expected = wireBytes(this.shape.precision, range.end - range.start);
    if (byteLength === expected) return;
    throw new TransportError(
      'TRANSPORT_BAD_MESSAGE',
      `${what} of elements ${range.start} to ${range.end} has ${byteLength ?? 0} bytes, expected ${expected}`,
    );
  }
}
