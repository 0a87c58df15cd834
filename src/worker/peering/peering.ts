import { type Clock, systemClock } from '../../clock.js';
import type { TreeNode } from '../../reduction/tree.js';
import type { Position__Output } from '../../transport/generated/fcaenet/v1/Position.js';
import { closeLostConnections } from '../../transport/lost-connections.js';
import { coordinatorNumber, type Peer, type PeerIdentity } from '../../transport/peers/identity.js';
import type { Traffic } from '../../transport/service.js';
import { TransferMemory } from '../../transport/transfer-memory.js';
import { type WireVector, wireBytes } from '../../transport/wire-vector.js';
import { Exchange, type ExchangeShape } from '../exchange/exchange.js';
import type { ExchangeOutput, RangeSum } from '../exchange/output.js';
import { PartReceiver } from '../exchange/part-receiver.js';
import { PeerLinks, type PeerPatience, peerPatience } from './peer-links.js';
import { type PeerLimits, PeerServer, peerLimits } from './peer-server.js';
import { RelayedParts } from './relayed-parts.js';
import { SumStream } from './sum-stream.js';
import { WeightsReceiver } from './weights-receiver.js';

/**
 * Unused memory that is kept, in sets of weights: one for a version that was released, and one for the parts and sums of a
 * step, which are together about as long as a gradient where each worker holds one node.
 */
const keptWeights = 2;

export interface PeeringOptions {
  readonly identity: PeerIdentity;
  readonly shape: Omit<ExchangeShape, 'member'>;
  /** Where it listens; null means all addresses. */
  readonly host: string | null;
  /** 0 takes a free one. */
  readonly port: number;
  readonly limits?: PeerLimits;
  readonly clock?: Clock;
  readonly patience?: Partial<PeerPatience>;
}

/** What a worker's part in the exchange says to the rest of the worker. */
export interface PeeringOutput extends Pick<ExchangeOutput, 'weightsMissing' | 'weightsLost'> {
  /** A sum that goes over the worker's own stream. Its memory is given back by {@link Peering.giveBack}. */
  sum(sum: RangeSum): void;
  /** `bytes` may be read until {@link Peering.giveBack}. */
  weights(version: number, bytes: Uint8Array<SharedArrayBuffer>): void;
  /** A held gradient is not read any more. */
  released(gradient: ArrayBufferLike): void;
  /** A peer gets nothing directly until it is reached again. */
  unreachable(member: number, reason: string): void;
  reached(member: number): void;
  /** A message for a peer that cannot be reached. Resolves when the next one may follow. */
  relay(member: number, message: Buffer): Promise<void>;
  /** Bytes of tensors went to a peer or came from one, not through the coordinator. */
  moved(direction: keyof Traffic, bytes: number): void;
  /** A peer's stream was ended, with a sentence. */
  refused(reason: string): void;
}

/** A worker's part in the exchange, with its connections to the other workers. */
export class Peering {
  readonly exchange: Exchange;
  private readonly memory: TransferMemory<SharedArrayBuffer>;
  private readonly links: PeerLinks;
  private readonly relayed: RelayedParts;
  private readonly gradients = new Set<ArrayBufferLike>();
  /** Memory that the exchange uses no more, but somebody else still reads. */
  private readonly releasing = new Set<ArrayBufferLike>();
  /** Weights that the rest of the worker reads. */
  private readonly lent = new Set<ArrayBufferLike>();
  private server: PeerServer | null = null;
  /** Where the coordinator takes sums, while it does. */
  private sums: SumStream | null = null;
  private stopClosingLost = () => {};

  private constructor(
    private readonly options: PeeringOptions,
    private readonly output: PeeringOutput,
  ) {
    const { identity, shape, clock = systemClock } = options;
    this.memory = new TransferMemory(
      { bytes: keptWeights * wireBytes(shape.precision, shape.weightCount) },
      (byteLength) => new SharedArrayBuffer(byteLength),
    );
    this.links = new PeerLinks({
      identity,
      clock,
      patience: { ...peerPatience, ...options.patience },
      relay: (member, message) => output.relay(member, message),
      onUnreachable: (member, reason) => {
        output.unreachable(member, reason);
        this.exchange.sendAgain(member);
      },
      onReached: (member) => output.reached(member),
      onMoved: (bytes) => output.moved('sentBytes', bytes),
      onSent: () => this.sweep(),
    });
    this.exchange = new Exchange(
      { ...shape, member: identity.member },
      this.memory,
      {
        send: (member, part) => this.links.send(member, part),
        sum: (sum) => {
          if (this.sums) void this.sums.send(sum).then(() => this.memory.give(sum.sum.buffer));
          else output.sum(sum);
        },
        weights: (version, bytes) => {
          this.lent.add(bytes.buffer);
          output.weights(version, bytes as Uint8Array<SharedArrayBuffer>);
        },
        weightsMissing: (version, ranges) => output.weightsMissing(version, ranges),
        weightsLost: (version) => output.weightsLost(version),
        release: (buffer) => {
          this.links.drop(buffer);
          this.releasing.add(buffer);
          this.sweep();
        },
      },
      clock,
    );
    this.relayed = new RelayedParts(this.receiver, (reason) => output.refused(reason));
  }

  /** Starts to listen for peers. @throws TransportError TRANSPORT_CANNOT_LISTEN */
  static async open(options: PeeringOptions, output: PeeringOutput): Promise<Peering> {
    const { identity, host, port, limits = peerLimits } = options;
    const peering = new Peering(options, output);
    peering.server = await PeerServer.listen({
      identity,
      host,
      port,
      limits,
      receiver: (member) => {
        const accept = peering.receiver(member);
        return (message) => {
          if (message.chunk) output.moved('receivedBytes', message.chunk.data.byteLength);
          return accept(message);
        };
      },
      scattered: () => {
        const receiver = new WeightsReceiver(peering.exchange, peering.memory);
        return (message) => receiver.accept(message);
      },
      gathered: (stream) => {
        const sums = new SumStream(stream, identity.tls !== null);
        peering.sums = sums;
        stream.once('close', () => {
          if (peering.sums === sums) peering.sums = null;
        });
      },
      onRefused: (reason) => output.refused(reason),
    });
    peering.stopClosingLost = closeLostConnections();
    return peering;
  }

  /** Where it listens. */
  get port(): number {
    return this.server!.port;
  }

  /**
   * @param members those that take part; this worker is one of them or not
   * @param coordinator null while it sends no ranges here: a call that it has made ends
   */
  setPeers(members: readonly Peer[], coordinator: Peer | null = null): void {
    const { member: self } = this.options.identity;
    const peers = new Map(members.filter(({ member }) => member !== self).map((peer) => [peer.member, peer]));
    const callers = coordinator ? [...peers, [coordinatorNumber, coordinator] as const] : peers;
    this.server!.setPeers(new Map(callers));
    // What is added from now on goes where the coordinator expects it.
    if (!coordinator) this.sums = null;
    this.links.setPeers(peers);
    this.relayed.setPeers(peers);
    this.exchange.setPeers(peers.keys());
  }

  /** @param gradient of this step, in memory of its own */
  hold(position: Position__Output, node: TreeNode, gradient: WireVector): void {
    this.gradients.add(gradient.buffer);
    this.exchange.hold(position, node, gradient);
  }

  /** Takes a message of a peer from the coordinator. */
  takeRelayed(member: number, message: Uint8Array): void {
    this.relayed.accept(member, message);
  }

  /** A sum or weights are not read any more outside. */
  giveBack(buffer: ArrayBufferLike): void {
    if (!this.lent.delete(buffer)) this.memory.give(buffer);
    this.sweep();
  }

  close(): void {
    this.exchange.close();
    this.links.close();
    this.server!.close();
    this.stopClosingLost();
  }

  private readonly receiver = (member: number) => {
    const receiver = new PartReceiver(this.exchange, member, this.memory);
    return (message: Parameters<PartReceiver['accept']>[0]) => receiver.accept(message);
  };

  /** Gives back what nobody reads any more. */
  private sweep(): void {
    for (const buffer of this.releasing) {
      if (this.lent.has(buffer) || this.links.isReading(buffer)) continue;
      this.releasing.delete(buffer);
      if (this.gradients.delete(buffer)) this.output.released(buffer);
      else this.memory.give(buffer);
    }
  }
}
