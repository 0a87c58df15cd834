import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import { systemClock } from '../../src/clock.js';
import type { EncodeJob } from '../../src/coordinator/dispatch/encode-job.js';
import type { GradientStep } from '../../src/coordinator/dispatch/gradient-work.js';
import { encodeContext, OutgoingWeights } from '../../src/coordinator/dispatch/outgoing-weights.js';
import { StepPhases } from '../../src/coordinator/dispatch/step-phases.js';
import { summarizeCodes } from '../../src/hashing/similarity.js';
import { describeModel } from '../../src/model/layout.js';
import { type NodePayload, payloadArrays, payloadDigest } from '../../src/reduction/payload.js';
import { ReductionTree, type TreeNode } from '../../src/reduction/tree.js';
import { encodeBatchSize } from '../../src/schedule/encode-batches.js';
import { byteLengthOf, bytesOf } from '../../src/transport/bytes.js';
import type { CoordinatorMessage__Output } from '../../src/transport/generated/fcaenet/v1/CoordinatorMessage.js';
import type { NodeResult } from '../../src/transport/generated/fcaenet/v1/NodeResult.js';
import type { WorkerMessage } from '../../src/transport/generated/fcaenet/v1/WorkerMessage.js';
import { channelOptions, protocolVersion, TrainingClientType } from '../../src/transport/service.js';
import { chunksOf } from '../../src/transport/tensor-stream.js';

export const layout = describeModel({ backbone: 'mobilenet_v1', width: 0.25, bits: 12, imageSize: 64 });
export const shape = { layout, passes: 1, precision: 'float32' } as const;
export const tree = new ReductionTree(8, 4);
export const identity = {
  engine: 'onednn',
  engineVersion: '1',
  instructionSet: 'avx2',
  buildHash: 'b',
  threadsPerMicrobatch: 1,
  microbatches: 4,
  wirePrecision: 'float32',
  arithmeticVersion: 1,
  probeSha256: '0'.repeat(64),
};
export const fingerprint = 'f'.repeat(64);
/** Speaks the protocol by hand, so that it can lie. */
export class ScriptedWorker {
  readonly instanceId = randomUUID();
  readonly received: CoordinatorMessage__Output[] = [];
  readonly stream: ClientDuplexStream<WorkerMessage, CoordinatorMessage__Output>;
  private readonly client;
  private transfers = 0;

  constructor(address: string) {
    this.client = new TrainingClientType(address, credentials.createInsecure(), {
      ...channelOptions,
      // As processes of their own: clients of one process would share a connection.
      'grpc.use_local_subchannel_pool': 1,
    });
    this.stream = this.client.join();
    this.stream.on('data', (message: CoordinatorMessage__Output) => this.received.push(message));
    this.stream.on('error', () => {});
    // `next` listens anew for each message.
    this.stream.setMaxListeners(0);
  }

  async next<Body extends NonNullable<CoordinatorMessage__Output['body']>>(body: Body) {
    for (;;) {
      const found = this.received.find((message) => message[body]);
      if (found) return found[body]!;
      await Promise.race([
        once(this.stream, 'data'),
        once(this.stream, 'close').then(() => Promise.reject(new Error(`closed before ${body}`))),
      ]);
    }
  }

  send(message: WorkerMessage): void {
    this.stream.write({ term: 1, ...message });
  }

  /** @param said instead of what workers say in their hello */
  async join(changed: object = {}, said: object = {}): Promise<void> {
    this.hello(said);
    await this.next('welcome');
    this.send({ ready: { identity: { ...identity, ...changed }, device: 'cpu', deterministic: true } });
  }

  hello(changed: object = {}): void {
    const { instanceId } = this;
    const hello = {
      protocolVersion,
      workerName: 'w',
      instanceId,
      datasetFingerprint: fingerprint,
      session: 1,
    };
    this.send({ hello: { ...hello, ...changed } });
  }

  private isCompared(leaf: number): boolean {
    return this.received.some(({ gradientWork }) =>
      gradientWork?.leaves.some(({ index, compared }) => index === leaf && compared),
    );
  }

  /** The leaves of each piece of gradient work so far. */
  workReceived(): number[][] {
    return this.received.flatMap(({ gradientWork }) =>
      gradientWork ? [gradientWork.leaves.map(({ index }) => index)] : [],
    );
  }

  /** @param value what the worker says it computed for every leaf under the node, where it says so as real workers do */
  answer(
    node: TreeNode,
    payload: NodePayload,
    position = { iteration: 0, epoch: 0, step: 0 },
    value = payload.gradient[0]!,
    more: NodeResult = {},
  ): void {
    const parts = payloadArrays(payload).map(bytesOf);
    const transfer = { id: ++this.transfers, byteLength: byteLengthOf(parts) };
    const leaves = tree.leavesUnder(node);
    const leafDigests = leaves
      .filter((index) => leaves.length > 1 || this.isCompared(index))
      .map((index) => ({ index, sha256: leafDigest(index, value) }));
    this.send({ nodeResult: { position, node, transfer, leafDigests, ...more } });
    for (const chunk of chunksOf(transfer.id, parts)) this.send({ chunk });
  }

  /** Opens one more stream on the same connection. @returns how it is refused */
  async openAnotherStream(): Promise<CoordinatorMessage__Output['refusal']> {
    const stream = this.client.join();
    stream.on('error', () => {});
    const [message] = (await once(stream, 'data')) as [CoordinatorMessage__Output];
    return message.refusal;
  }

  /** Answers encode work with `value` in every byte. */
  answerEncode(request: number, batch: number, byteLength: number, value: number, device = ''): void {
    const transfer = { id: ++this.transfers, byteLength };
    this.send({ encodeResult: { request, batch, transfer, device } });
    for (const chunk of chunksOf(transfer.id, [Buffer.alloc(byteLength, value)])) this.send({ chunk });
  }

  leave(): void {
    this.stream.cancel();
    this.client.close();
  }
}

function leafDigest(index: number, value: number): Buffer {
  return payloadDigest(payload(tree.rowCount(index), value));
}

export function payload(rows: number, value: number): NodePayload {
  const { batchNorms, statisticsCount, parameterCount, bits } = layout;
  return {
    gradient: new Float32Array(parameterCount).fill(value),
    u: new Float32Array(rows * bits).fill(value),
    losses: new Float64Array(4).fill(value),
    moments: {
      passes: 1,
      counts: new Float64Array(batchNorms.length).fill(rows),
      mean: new Float64Array(statisticsCount).fill(value),
      squaredDeviations: new Float64Array(statisticsCount),
    },
  };
}

/** Bytes that `describedEncodeJob` has encoded of each image. */
export const encodedBytes = 2;

/** Has so many batches of queries encoded. */
export function describedEncodeJob(batches: number, changed: Partial<EncodeJob> = {}): EncodeJob {
  return {
    term: 1,
    output: 'CODES',
    split: 'TEST',
    images: Uint32Array.from({ length: batches * encodeBatchSize }, (_, i) => i),
    bytesPerImage: encodedBytes,
    weights: describedStep().weights,
    strict: true,
    ...changed,
  };
}

/** The first step of a run, of eight rows in four microbatches. */
export function describedStep(changed: Partial<GradientStep> = {}): GradientStep {
  const weights = {
    parameters: new Float32Array(layout.parameterCount),
    mean: new Float32Array(layout.statisticsCount),
    variance: new Float32Array(layout.statisticsCount),
  };
  const codes = new Int8Array(4 * 12).fill(1);
  const labels = Int32Array.of(0, 0, 1, 1);
  return {
    term: 1,
    position: { iteration: 0, epoch: 0, step: 0 },
    phases: new StepPhases(systemClock),
    tree,
    shape,
    verified: [],
    strict: true,
    weights: new OutgoingWeights(1, 0, weights, 'float32'),
    context: encodeContext(1, 0, summarizeCodes({ codes, labels, bits: 12, classCount: 2, ratio: 1 })),
    leaf: (index) => ({ index }),
    upcoming: () => null,
    ...changed,
  };
}
