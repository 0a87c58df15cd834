import { createConnection } from 'node:net';
import { writeChecksum } from '../../src/transport/checksum.js';
import type { WorkerMessage } from '../../src/transport/generated/fcaenet/v1/WorkerMessage.js';
import { coordinatorService, protocolVersion } from '../../src/transport/service.js';
import { closed, grpcFrame, Intruder } from './intruder.js';

/** What a fuzzed message is made from. */
const valid: readonly WorkerMessage[] = [
  { hello: { protocolVersion, workerName: 'w', instanceId: 'i', datasetFingerprint: 'f'.repeat(64) } },
  { ready: { identity: { engine: 'onednn', probeSha256: '0'.repeat(64) }, device: 'cpu' } },
  { heartbeat: { imagesDecoded: 7, imagesFromCache: 9, overdueFileOperations: 1 } },
  {
    nodeResult: {
      position: { iteration: 0, epoch: 1, step: 1 },
      node: { level: 1, index: 1 },
      transfer: { id: 1, byteLength: 4096 },
    },
  },
  { encodeResult: { request: 1, batch: 2, transfer: { id: 3, byteLength: 64 } } },
  { chunk: { transfer: 1, offset: 0, data: Buffer.alloc(300, 7) } },
  { failure: { code: 'X', message: 'y', exitCode: 1 } },
  { leaving: { reason: 'z' } },
];
const { requestSerialize } = coordinatorService({ sentBytes: 0, receivedBytes: 0 }).Join;
/** A checksum's field: its tag, and room for four bytes. */
const room = Buffer.of((15 << 3) | 5, 0, 0, 0, 0);
/** Encoded, without the checksum at the end: that comes after what is done to them. */
const corpus = valid.map((message) =>
  requestSerialize({ term: 1, ...message }).subarray(0, -room.byteLength),
);

/** Random numbers keyed by a seed (mulberry32): a failing message can be made again. */
class Draws {
  constructor(private state: number) {}

  below(bound: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)));
  }
}

/** A valid message with some bytes changed, taken out, put in, or said again. */
function mutated(draws: Draws): Buffer {
  let bytes = Buffer.from(corpus[draws.below(corpus.length)]!);
  for (let times = 1 + draws.below(3); times > 0; times--) {
    const at = draws.below(bytes.byteLength + 1);
    const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
    const change = draws.below(8);
    if (change > 2) bytes = Buffer.concat([before, draws.bytes(1), after.subarray(1)]);
    else if (change === 0) bytes = Buffer.concat([before, after.subarray(draws.below(8))]);
    else if (change === 1) bytes = Buffer.concat([before, draws.bytes(draws.below(12)), after]);
    else bytes = Buffer.concat([bytes, bytes.subarray(at)]);
  }
  return bytes;
}

export interface FuzzOptions {
  readonly address: string;
  readonly seed: number;
  readonly messages: number;
  /** A hello that is welcome; where it is given, half of the messages come after it. */
  readonly hello: NonNullable<WorkerMessage['hello']> | null;
}

/** Sends each message on a connection of its own, a few at a time, and waits until each was judged. */
export async function fuzz({ address, seed, messages, hello }: FuzzOptions): Promise<void> {
  const [host, port] = address.split(':');
  const one = async (index: number): Promise<void> => {
    const draws = new Draws(Math.imul(seed, 0x9e3779b1) + index);
    const kind = draws.below(hello ? 6 : 3);
    if (kind === 0) {
      const socket = createConnection(Number(port), host);
      socket.end(draws.bytes(draws.below(200)));
      return closed(socket);
    }
    const bare = kind === 1 ? draws.bytes(draws.below(300)) : mutated(draws);
    // A right checksum leads past the first check, to the decoder and what comes after it.
    const message = draws.below(4) === 0 ? bare : writeChecksum(Buffer.concat([bare, room]));
    const compressed = draws.below(10) === 0 ? 1 : 0;
    const lies = draws.below(20) === 0;
    const frame = lies ? grpcFrame(message, draws.below(2 ** 32)) : grpcFrame(message, undefined, compressed);
    const welcome = { hello: { ...hello, instanceId: `fuzz-${index}`, workerName: `fuzz-${index}` } };
    const frames = kind < 3 ? [frame] : [grpcFrame(requestSerialize({ term: 0, ...welcome })), frame];
    const intruder = new Intruder(address);
    await intruder.join(frames, {}, true);
    intruder.leave();
    await intruder.closed;
  };
  let next = 0;
  const lane = async () => {
    while (next < messages) await one(next++);
  };
  await Promise.all(Array.from({ length: 16 }, lane));
}
