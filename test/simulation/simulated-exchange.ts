import { deserialize, serialize } from 'node:v8';
import { momentBlocks } from '../../src/model/packed-moments.js';
import { wireWeightBytes } from '../../src/model/wire-weights.js';
import type { TreeNode } from '../../src/reduction/tree.js';
import type { WirePrecision } from '../../src/run/training-run.js';
import { bytesOf } from '../../src/transport/bytes.js';
import type { CoordinatorMessage__Output } from '../../src/transport/generated/fcaenet/v1/CoordinatorMessage.js';
import type { ExchangeOrder__Output } from '../../src/transport/generated/fcaenet/v1/ExchangeOrder.js';
import type { PeerMessage__Output } from '../../src/transport/generated/fcaenet/v1/PeerMessage.js';
import type { Position__Output } from '../../src/transport/generated/fcaenet/v1/Position.js';
import type { WorkerMessage } from '../../src/transport/generated/fcaenet/v1/WorkerMessage.js';
import { TransferReceiver } from '../../src/transport/tensor-stream.js';
import { TransferMemory } from '../../src/transport/transfer-memory.js';
import { type WireVector, wireBytes } from '../../src/transport/wire-vector.js';
import { Exchange } from '../../src/worker/exchange/exchange.js';
import type { OutgoingPart } from '../../src/worker/exchange/output.js';
import { messagesOf } from '../../src/worker/exchange/part-messages.js';
import { PartReceiver } from '../../src/worker/exchange/part-receiver.js';
import type { Chance } from './chance.js';
import type { SimulatedProcess } from './simulated-clock.js';
import { layout } from './simulated-network.js';
import type { IncomingCall, ListeningWorker, SimulatedPeerNetwork } from './simulated-peer-network.js';

/** Time without an accepted message after which a pair goes through the coordinator. */
const stalledMs = 5_000;
const gradientCount = layout.parameterCount;

export interface PeerSurroundings {
  readonly process: SimulatedProcess;
  readonly chance: Chance;
  readonly network: SimulatedPeerNetwork;
  /** HOST:PORT of this worker. */
  readonly address: string;
  readonly trace: (line: string) => void;
  /** Whether the worker adds ranges wrongly. */
  addsWrong(): boolean;
  send(message: WorkerMessage): void;
  sendTensors(
    parts: Uint8Array[],
    announce: (transfer: { id: number; byteLength: number }) => WorkerMessage,
  ): void;
  /** Weights never become complete. */
  onWeightsLost(version: number): void;
  /** Weights are complete. */
  onWeights(version: number, bytes: Uint8Array): void;
}

/** Messages of one way, handled one after the other. */
class Queue {
  private tail: Promise<void> = Promise.resolve();

  constructor(
    private readonly receiver: PartReceiver,
    private readonly failed: (error: unknown) => void,
  ) {}

  take(message: PeerMessage__Output): void {
    this.tail = this.tail.then(() => this.receiver.accept(message)).catch(this.failed);
  }
}

/** The way to one peer. */
interface Link {
  readonly address: string;
  transfers: number;
  lastArrivalMs: number;
  isRelayed: boolean;
  isWatched: boolean;
}

/** The exchange of one session of a simulated worker: the real state, on simulated connections. */
export class SimulatedPeer implements ListeningWorker {
  private readonly exchange: Exchange;
  private readonly memory = new TransferMemory<ArrayBufferLike>({ arrays: 4 });
  private isClosed = false;
  private readonly links = new Map<number, Link>();
  private readonly queues = new Map<string, Queue>();
  private readonly fromCoordinator = new TransferReceiver(new TransferMemory({ arrays: 0 }));
  /** Whether the coordinator says that it calls. */
  private isTold = false;
  /** A call that has come before the coordinator has said so. */
  private early: IncomingCall | null = null;
  private call: IncomingCall | null = null;
  private carried = new TransferReceiver(new TransferMemory({ arrays: 0 }));

  constructor(
    private readonly member: number,
    precision: WirePrecision,
    private readonly surroundings: PeerSurroundings,
  ) {
    const { onWeights, process } = surroundings;
    this.exchange = new Exchange(
      {
        member,
        precision,
        gradientCount,
        momentBlocks: momentBlocks(layout, 1),
        weightCount: wireWeightBytes(layout, precision) / wireBytes(precision, 1),
        microbatches: 4,
      },
      this.memory,
      {
        send: (to, part) => this.sendPart(to, part),
        sum: ({ sum, position, range, attempt, reduceSeconds }) => {
          // In bfloat16 the lowest bit is one of a number of 16 bits, too.
          if (surroundings.addsWrong()) bytesOf(sum)[0]! ^= 1;
          if (this.isClosed) return;
          if (this.call) {
            const transfer = { id: 1, byteLength: sum.byteLength };
            this.call.answer({ position, range, attempt, reduceSeconds, transfer }, bytesOf(sum));
            return;
          }
          surroundings.sendTensors([Buffer.from(bytesOf(sum))], (transfer) => ({
            exchange: { rangeResult: { position, range, attempt, reduceSeconds, transfer } },
          }));
        },
        weights: onWeights,
        weightsLost: (version) => surroundings.onWeightsLost(version),
        weightsMissing: (version, ranges) =>
          this.tell({ exchange: { weightsMissing: { version, ranges: [...ranges] } } }),
        release: () => {},
      },
      process,
    );
  }

  /** Handles what the coordinator tells. */
  handle(order: ExchangeOrder__Output): void {
    const { peers, weightsPlan, weightsRange, plan, reduce, relayed } = order;
    if (peers) this.meet(peers.peers, peers.coordinator !== null);
    else if (weightsPlan) this.exchange.planWeights(weightsPlan);
    else if (weightsRange) {
      this.fromCoordinator.begin(weightsRange.transfer, { least: 0, most: 1 << 20 }, 'weights', (bytes) =>
        this.exchange.takeWeights(weightsRange, bytes),
      );
    } else if (plan) this.exchange.planStep(plan);
    else if (reduce) this.exchange.reduce(reduce);
    else if (relayed) this.receive(relayed.member, 'relayed', deserialize(relayed.message));
  }

  /** Takes a chunk, if it is one of weights that the coordinator sends for the exchange. */
  takeChunk(chunk: NonNullable<CoordinatorMessage__Output['chunk']>): boolean {
    if (!this.fromCoordinator.isOpen) return false;
    this.fromCoordinator.accept(chunk);
    return true;
  }

  hold(position: Position__Output, node: TreeNode, gradient: WireVector): void {
    this.exchange.hold(position, node, gradient);
  }

  /** Takes what a peer has sent. */
  receive(sender: number, way: string, message: PeerMessage__Output): void {
    const key = `${sender} ${way}`;
    const queue =
      this.queues.get(key) ??
      new Queue(new PartReceiver(this.exchange, sender, this.memory), (error) =>
        this.surroundings.trace(`peer ${sender} is not understood: ${String(error)}`),
      );
    this.queues.set(key, queue);
    queue.take(message);
  }

  close(): void {
    this.isClosed = true;
    this.exchange.close();
    this.early?.cut();
    this.call?.cut();
  }

  get process(): SimulatedProcess {
    return this.surroundings.process;
  }

  called(call: IncomingCall): void {
    this.early = call;
    if (this.isTold) this.acceptEarly();
    if (this.isClosed) call.cut();
  }

  takeCarried({ exchange, chunk }: CoordinatorMessage__Output): void {
    if (this.isClosed) return;
    if (chunk) this.carried.accept(chunk);
    else {
      const weightsRange = exchange!.weightsRange!;
      this.carried.begin(weightsRange.transfer, { least: 0, most: 1 << 20 }, 'weights', (bytes) =>
        this.exchange.takeWeights(weightsRange, bytes),
      );
    }
  }

  callEnded(call: IncomingCall): void {
    if (this.early === call) this.early = null;
    if (this.call === call) this.call = null;
  }

  private acceptEarly(): void {
    if (!this.early) return;
    this.call = this.early;
    this.early = null;
    this.carried = new TransferReceiver(new TransferMemory({ arrays: 0 }));
    this.call.accept();
  }

  private meet(
    peers: readonly { readonly member: number; readonly address: string }[],
    isCalled: boolean,
  ): void {
    this.isTold = isCalled;
    if (isCalled) this.acceptEarly();
    else {
      this.call?.cut();
      this.call = null;
    }
    for (const { member, address } of peers) {
      if (this.links.has(member)) continue;
      this.links.set(member, { address, transfers: 0, lastArrivalMs: 0, isRelayed: false, isWatched: false });
    }
    this.exchange.setPeers(peers.map(({ member }) => member));
  }

  private sendPart(to: number, part: OutgoingPart): void {
    if (this.isClosed) return;
    const link = this.links.get(to)!;
    for (const message of messagesOf(part, ++link.transfers)) this.sendTo(to, link, copied(message));
  }

  private sendTo(to: number, link: Link, message: PeerMessage__Output): void {
    const { process, chance, network } = this.surroundings;
    if (link.isRelayed) {
      this.tell({ exchange: { relayed: { member: to, message: serialize(message) } } });
      return;
    }
    const peer = network.at(link.address);
    if (!peer || network.isCut(process.name, peer.process.name)) {
      this.watch(to, link, peer ? stalledMs : 0);
      return;
    }
    const arrivalMs = process.nowMs() + chance.between(network.manners.leastMs, network.manners.mostMs);
    link.lastArrivalMs = Math.max(link.lastArrivalMs, arrivalMs);
    // What has left arrives, also when its sender is gone.
    peer.process.after(link.lastArrivalMs - process.nowMs(), () =>
      peer.receive(this.member, 'direct', message),
    );
  }

  /** A real one's thread ends with its session: what one of its timers sends later does not reach the next session. */
  private tell(message: WorkerMessage): void {
    if (!this.isClosed) this.surroundings.send(message);
  }

  /** Nothing is accepted on a way: after a while everything goes through the coordinator. */
  private watch(to: number, link: Link, ms: number): void {
    if (link.isWatched) return;
    link.isWatched = true;
    this.surroundings.process.after(ms, () => {
      if (this.isClosed) return;
      link.isRelayed = true;
      const peerUnreachable = { member: to, reason: 'nothing is accepted' };
      this.tell({ exchange: { peerUnreachable } });
      this.exchange.sendAgain(to);
    });
  }
}

/** A message as it arrives: with every field, and bytes of its own. */
function copied(message: object): PeerMessage__Output {
  return deserialize(serialize({ checksum: 0, ...message }));
}
