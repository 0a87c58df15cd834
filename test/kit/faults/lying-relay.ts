import { credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import type { WorkerStream } from '../../../src/coordinator/dispatch/member.js';
import type { WorkerMessage__Output } from '../../../src/transport/generated/fcaenet/v1/WorkerMessage.js';
import { channelOptions, coordinatorService, TrainingClientType } from '../../../src/transport/service.js';

export type Lie = 'nan' | 'length' | 'noise';

/**
 * Stands between a real worker and the coordinator and passes on what they say, but for the lies that it was told to
 * put into the worker's answers: a NaN in a gradient, a gradient of another length, or one that is plausible and wrong.
 */
export class LyingRelay {
  /** Where the coordinator listens, HOST:PORT. */
  target: string | null = null;
  private readonly lies: Lie[] = [];
  private readonly server = new Server(channelOptions);

  private constructor() {
    this.server.addService(coordinatorService({ sentBytes: 0, receivedBytes: 0 }), {
      Join: (stream: WorkerStream) => this.join(stream),
    });
  }

  /** @returns the relay and the address that its worker dials */
  static async open(): Promise<{ relay: LyingRelay; address: string }> {
    const relay = new LyingRelay();
    const port = await new Promise<number>((resolve, reject) => {
      relay.server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    return { relay, address: `127.0.0.1:${port}` };
  }

  /** Puts a lie into the worker's next answer. */
  lieNext(lie: Lie): void {
    this.lies.push(lie);
  }

  /** Forgets the lies that were not told yet. */
  stopLying(): void {
    this.lies.length = 0;
  }

  close(): void {
    this.server.forceShutdown();
  }

  private join(worker: WorkerStream): void {
    if (this.target === null) {
      worker.end();
      return;
    }
    const client = new TrainingClientType(this.target, credentials.createInsecure(), channelOptions);
    const coordinator = client.join();
    /** Bytes of the transfer whose largest part is about to become wrong. */
    let poisoned: number | null = null;
    let poison: (data: Buffer) => void = () => {};
    const alter = (message: WorkerMessage__Output): WorkerMessage__Output => {
      const announced = message.nodeResult?.transfer;
      if (announced) {
        const lie = this.lies.shift();
        if (lie === 'length') announced.byteLength += 4;
        if (lie === 'nan' || lie === 'noise') {
          poisoned = announced.byteLength;
          poison = lie === 'nan' ? writeNaN : writeNoise;
        }
      }
      if (message.chunk && poisoned !== null && message.chunk.data.byteLength > poisoned / 2) {
        poison(message.chunk.data as Buffer);
        poisoned = null;
      }
      return message;
    };
    worker.on('data', (message: WorkerMessage__Output) => coordinator.write(alter(message)));
    worker.on('end', () => coordinator.end());
    worker.on('error', () => coordinator.cancel());
    worker.on('close', () => coordinator.cancel());
    coordinator.on('data', (message) => worker.write(message));
    coordinator.on('end', () => worker.end());
    coordinator.on('error', () => worker.end());
    coordinator.on('close', () => client.close());
  }
}

function writeNaN(data: Buffer): void {
  data.writeFloatLE(Number.NaN, (data.byteLength >> 3) << 2);
}

/** Numbers that are finite and far too large, in the first half: there the gradient is. */
function writeNoise(data: Buffer): void {
  for (let at = 0; at + 4 <= data.byteLength / 2; at += 4) data.writeFloatLE(at % 8 === 0 ? 20 : -20, at);
}
