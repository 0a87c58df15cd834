import type { Log } from '../console/log.js';
import type { TrainingRun } from '../run/training-run.js';
import { bytesOf } from '../transport/bytes.js';
import type { ExchangeOrder__Output } from '../transport/generated/fcaenet/v1/ExchangeOrder.js';
import type { Welcome__Output } from '../transport/generated/fcaenet/v1/Welcome.js';
import type { WorkerMessage } from '../transport/generated/fcaenet/v1/WorkerMessage.js';
import type { TransferReceiver } from '../transport/tensor-stream.js';
import type { TlsMaterial } from '../transport/tls-files.js';
import { wireBytes } from '../transport/wire-vector.js';
import type { ArrivingWeights } from './arriving-weights.js';
import type { ExchangeShape } from './exchange/exchange.js';
import { Lane } from './lane/lane.js';
import { type PeeringSettings, peeringPlace } from './peering-place.js';

/** What of a worker decides whether and where it listens for its peers. */
export interface ExchangeSettings extends PeeringSettings {
  /** Null means plain text. */
  readonly tls: TlsMaterial | null;
  readonly isProxied: boolean;
  /** IP address of its end of the connection to the coordinator. */
  readonly localAddress: string;
}

/** Where the exchange of a session gets its messages from and sends its results to. */
export interface ExchangeSurroundings {
  readonly receiver: TransferReceiver;
  readonly weights: ArrivingWeights;
  readonly log: Log;
  readonly send: (message: WorkerMessage) => Promise<void>;
  /** Resolves when the parts are not read any more. */
  readonly sendTensors: (
    parts: Uint8Array[],
    announce: (transfer: { id: number; byteLength: number }) => WorkerMessage,
  ) => Promise<void>;
  readonly fail: (error: unknown) => void;
}

/** A session's part in the exchange of gradients and weights with other workers. */
export class SessionExchange {
  private constructor(
    private readonly lane: Lane,
    private readonly surroundings: ExchangeSurroundings,
    private readonly wordBytes: number,
    private readonly weightBytes: number,
    /** Where other workers reach this one, HOST:PORT. */
    readonly peerAddress: string,
  ) {}

  /**
   * Listens for other workers, if the run uses the exchange and this worker can take part.
   * @throws WorkerError WORKER_EXCHANGE when it cannot listen
   */
  static async open(
    { run, runFile, member, peerKey, sharesMemory }: Welcome__Output,
    term: number,
    shape: Omit<ExchangeShape, 'member'>,
    settings: ExchangeSettings,
    surroundings: ExchangeSurroundings,
  ): Promise<SessionExchange | null> {
    const { operation } = (JSON.parse(runFile) as TrainingRun).spec;
    // One that shares memory is told where to listen if it is the only one of the coordinator's machine.
    if (operation.exchange === 'off' || (sharesMemory && settings.listen === null)) return null;
    const { tls, localAddress, isProxied } = settings;
    const { log, weights, send, sendTensors, fail } = surroundings;
    const place = peeringPlace(settings, tls, localAddress, isProxied);
    if (typeof place === 'string') {
      log.info('this worker takes no part in the exchange of gradients', { reason: place });
      return null;
    }
    const { host, port, advertised } = place;
    const lane = await Lane.open(
      {
        identity: {
          run,
          term,
          member,
          key: new Uint8Array(peerKey),
          tls: tls && { certificate: tls.certificate, key: tls.key, authority: tls.authority },
        },
        shape,
        host,
        port,
      },
      {
        weights: (version, bytes, done) => weights.arrive(version, bytes, done),
        sum: ({ position, range, attempt, reduceSeconds, sum }, done) =>
          void sendTensors([bytesOf(sum)], (transfer) => ({
            exchange: { rangeResult: { position, range, attempt, transfer, reduceSeconds } },
          })).then(done),
        weightsLost: (version) => weights.giveUp(version),
        weightsMissing: (version, ranges) =>
          void send({ exchange: { weightsMissing: { version, ranges: [...ranges] } } }),
        unreachable: (unreached, reason) =>
          void send({ exchange: { peerUnreachable: { member: unreached, reason } } }),
        reached: (reached) => void send({ exchange: { peerReached: { member: reached } } }),
        relay: (receiver, message, done) => {
          const relayed = { member: receiver, message: Buffer.from(message.buffer) };
          void send({ exchange: { relayed } }).then(done);
        },
        refused: (reason) => log.warn('another worker was refused', { reason }),
        failed: fail,
      },
    );
    return new SessionExchange(
      lane,
      surroundings,
      wireBytes(shape.precision, 1),
      wireBytes(shape.precision, shape.weightCount),
      advertised(lane.port),
    );
  }

  /** Takes what the coordinator says. */
  take(order: ExchangeOrder__Output): void {
    const { relayed, weightsRange } = order;
    if (weightsRange) {
      const { lane, wordBytes, weightBytes } = this;
      const allowed = { least: wordBytes, most: weightBytes };
      this.surroundings.receiver.begin(weightsRange.transfer, allowed, 'a range of weights', (bytes) =>
        lane.takeWeights(weightsRange, bytes as Uint8Array<ArrayBuffer>),
      );
    } else if (relayed) this.lane.takeRelayed(relayed.member, relayed.message);
    else this.lane.follow(order);
  }

  /** Keeps a node's gradient and packed moments for the exchange. They are copied. */
  hold(...node: Parameters<Lane['hold']>): void {
    this.lane.hold(...node);
  }

  /** For the heartbeat. */
  get traffic(): { peerBytesSent: number; peerBytesReceived: number } {
    const { sentBytes, receivedBytes } = this.lane.traffic;
    return { peerBytesSent: sentBytes, peerBytesReceived: receivedBytes };
  }

  close(): Promise<void> {
    return this.lane.close();
  }
}
