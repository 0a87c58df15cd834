import { createHash } from 'node:crypto';
import { wordsPerCode } from '../../src/hashing/codes.js';
import { packMoments } from '../../src/model/packed-moments.js';
import {
  mergePayloads,
  type NodePayload,
  outcomeOf,
  payloadArrays,
  payloadDigest,
} from '../../src/reduction/payload.js';
import { StepReduction } from '../../src/reduction/step-reduction.js';
import { ReductionTree, type TreeNode } from '../../src/reduction/tree.js';
import type { TrainingRun, WirePrecision } from '../../src/run/training-run.js';
import { byteLengthOf, bytesOf } from '../../src/transport/bytes.js';
import type { CoordinatorMessage__Output } from '../../src/transport/generated/fcaenet/v1/CoordinatorMessage.js';
import type { EncodeWork__Output } from '../../src/transport/generated/fcaenet/v1/EncodeWork.js';
import type { GradientWork__Output } from '../../src/transport/generated/fcaenet/v1/GradientWork.js';
import type { WorkerMessage } from '../../src/transport/generated/fcaenet/v1/WorkerMessage.js';
import { protocolVersion } from '../../src/transport/service.js';
import { chunksOf, TransferReceiver } from '../../src/transport/tensor-stream.js';
import { TransferMemory } from '../../src/transport/transfer-memory.js';
import { elementsOf } from '../../src/worker/exchange/elements.js';
import type { Chance } from './chance.js';
import type { Plan } from './faults.js';
import type { SimulatedProcess } from './simulated-clock.js';
import { SimulatedDevices } from './simulated-devices.js';
import { SimulatedPeer } from './simulated-exchange.js';
import type { SimulatedLine } from './simulated-line.js';
import { bits, identity, layout, madeUpPayload, numbersFrom } from './simulated-network.js';
import type { SimulatedPeerNetwork } from './simulated-peer-network.js';

/** How a worker behaves, to be changed while it works. */
export interface WorkerManners {
  /** Milliseconds for a microbatch, drawn between these. */
  leastMs: number;
  mostMs: number;
  /** Computes something else than the others, and believes in it. */
  lies: boolean;
  /** Adds ranges wrongly, and believes in it. */
  addsWrong: boolean;
  /** What is wrong with its next answer. */
  nextAnswer: 'nan' | 'length' | 'digest' | null;
}

/** What a worker needs of the world around it. */
export interface WorkerSurroundings {
  readonly process: SimulatedProcess;
  readonly chance: Chance;
  readonly manner: Pick<Plan, 'hiccups' | 'encodeTimes'>;
  /** The most that compute at the same time. Where there are several, some of them are not always there. */
  readonly devices: number;
  /** The longest piece in which an answer is sent. */
  readonly pieceBytes: number;
  readonly fingerprint: string;
  readonly trace: (line: string) => void;
  /** Opens a line to the coordinator that listens; null where none does. */
  dial(worker: SimulatedWorker): SimulatedLine | null;
  /** The connections between workers; null where they cannot reach one another. */
  readonly peers: SimulatedPeerNetwork | null;
  /** Counts answers, for what a simulation shows. */
  answered(kind: 'gradient' | 'encode'): void;
}

/** Looks in a row, 2 s apart, that find nothing new before the coordinator counts as gone. */
const mostSilentLooks = 6;

/** A worker without work for so long is idle. */
const idleMs = 500;

type Task = () => Promise<void>;

/** A worker that follows the protocol and makes its numbers up from what it was given. */
export class SimulatedWorker {
  readonly manners: WorkerManners = {
    leastMs: 5,
    mostMs: 40,
    lies: false,
    addsWrong: false,
    nextAnswer: null,
  };
  line: SimulatedLine | null = null;
  private sessions = 0;
  private highestTerm = 0;
  private term = 0;
  private transfers = 0;
  /** Digest of the weights, by version. */
  private readonly weights = new Map<number, string>();
  private onWeights: (() => void)[] = [];
  private readonly awaited = new Set<number>();
  private readonly lost = new Set<number>();
  private peer: SimulatedPeer | null = null;
  private context = '';
  /** Of the run that it was welcomed to. */
  private precision: WirePrecision = 'float32';
  private receiver = new TransferReceiver(new TransferMemory({ arrays: 0 }));
  private readonly tasks: Task[] = [];
  private isBusy = false;
  private idleSinceMs = 0;
  private readonly devices: SimulatedDevices;
  private silentLooks = 0;

  constructor(
    readonly name: string,
    private readonly surroundings: WorkerSurroundings,
  ) {
    this.devices = new SimulatedDevices(surroundings.devices, surroundings.chance);
    this.dial();
    surroundings.process.every(2_000, () => {
      // As real workers do: what is silent for so long is gone, whatever its stream says.
      if (++this.silentLooks > mostSilentLooks) this.line?.cut();
      else this.send({ heartbeat: { devices: this.devices.reports } });
      this.devices.change();
    });
  }

  /** Whether it has had nothing to compute for a while. */
  get isIdle(): boolean {
    return !this.isBusy && this.surroundings.process.nowMs() - this.idleSinceMs >= idleMs;
  }

  message(message: CoordinatorMessage__Output): void {
    const { process, chance } = this.surroundings;
    this.silentLooks = 0;
    if (message.welcome) {
      if (message.term < this.highestTerm) {
        this.line?.cut();
        return;
      }
      this.term = message.term;
      this.highestTerm = message.term;
      this.precision = (JSON.parse(message.welcome.runFile) as TrainingRun).spec.wire.precision;
      const { line, precision } = this;
      const ready = {
        identity: { ...identity, wirePrecision: precision },
        device: 'simulated',
        deterministic: true,
        peerAddress: this.openPeer(message.welcome.member),
        devices: this.devices.reports,
      };
      process.after(chance.between(1, 50), () => {
        if (this.line === line) this.send({ ready });
      });
    } else if (message.term < this.term) return;
    else if (message.refusal || message.finish) {
      this.surroundings.trace(message.refusal?.message ?? message.finish!.reason);
      this.line?.cut();
    } else if (message.chunk) {
      if (!this.peer?.takeChunk(message.chunk)) this.receiver.accept(message.chunk);
    } else if (message.exchange) this.peer?.handle(message.exchange);
    else if (message.iterationContext) {
      const { iteration, ratio, gram, classSums } = message.iterationContext;
      this.context = sha256(String(iteration), String(ratio), gram, classSums);
    } else if (message.weights) {
      const { transfer, version } = message.weights;
      this.receiver.begin(transfer, { least: 0, most: 1 << 20 }, 'weights', (bytes) => {
        this.setWeights(version, bytes);
      });
    } else if (message.gradientWork) {
      const { gradientWork } = message;
      const { context } = this;
      this.enqueue(async () => {
        const weights = await this.weightsOf(gradientWork.weightsVersion);
        if (weights !== null) await this.computeGradients(gradientWork, weights, context);
      });
    } else if (message.encodeWork) {
      const { encodeWork } = message;
      this.enqueue(async () => {
        const weights = await this.weightsOf(encodeWork.weightsVersion);
        if (weights !== null) await this.encode(encodeWork, weights);
      });
    }
  }

  closed(): void {
    this.surroundings.trace('its line is closed');
    this.line = null;
    this.term = 0;
    this.tasks.length = 0;
    this.weights.clear();
    this.awaited.clear();
    this.lost.clear();
    this.closePeer();
    this.tellOfWeights();
    this.receiver = new TransferReceiver(new TransferMemory({ arrays: 0 }));
    const { process, chance } = this.surroundings;
    process.after(chance.between(10, 400), () => this.dial());
  }

  /** @returns where peers reach this worker; empty when they cannot */
  private openPeer(member: number): string {
    const { peers, process, chance, trace } = this.surroundings;
    if (!peers) return '';
    const address = `${process.name}-${this.sessions}:1`;
    this.peer = new SimulatedPeer(member, this.precision, {
      process,
      chance,
      network: peers,
      address,
      trace,
      addsWrong: () => this.manners.addsWrong,
      send: (message) => this.send(message),
      sendTensors: (parts, announce) => this.sendTensors(parts, announce),
      onWeights: (version, bytes) => this.setWeights(version, bytes),
      onWeightsLost: (version) => this.loseWeights(version),
    });
    peers.listen(address, this.peer);
    this.closePeer = () => {
      peers.listen(address, null);
      this.peer?.close();
      this.peer = null;
      this.closePeer = () => {};
    };
    process.whenEnded(() => peers.listen(address, null));
    return address;
  }

  private closePeer = (): void => {};

  private setWeights(version: number, bytes: Uint8Array): void {
    // The version is part of it: work for one version that is done with another gives other numbers.
    this.weights.set(version, sha256(String(version), bytes));
    this.tellOfWeights();
  }

  /** As a session does: work that needs weights that never come ends it. */
  private loseWeights(version: number): void {
    this.lost.add(version);
    if (this.awaited.has(version)) this.line?.cut();
  }

  private tellOfWeights(): void {
    for (const each of this.onWeights.splice(0)) each();
  }

  /** Resolves when the weights are there; with null when the session is over first. */
  private async weightsOf(version: number): Promise<string | null> {
    const { line } = this;
    this.awaited.add(version);
    if (this.lost.has(version) && !this.weights.has(version)) line?.cut();
    while (!this.weights.has(version)) {
      await new Promise<void>((resolve) => this.onWeights.push(resolve));
      if (this.line !== line) return null;
    }
    this.awaited.delete(version);
    return this.weights.get(version)!;
  }

  private dial(): void {
    const { process, chance, fingerprint } = this.surroundings;
    this.silentLooks = 0;
    this.line = this.surroundings.dial(this);
    if (!this.line) {
      process.after(chance.between(50, 500), () => this.dial());
      return;
    }
    this.surroundings.trace(`says hello on ${this.line.peer}`);
    this.send({
      hello: {
        protocolVersion,
        workerName: this.name,
        instanceId: `${this.name}-${process.name}`,
        datasetFingerprint: fingerprint,
        session: ++this.sessions,
      },
    });
  }

  private send(message: WorkerMessage): void {
    this.line?.send({ term: this.term, ...message });
  }

  private enqueue(task: Task): void {
    this.tasks.push(task);
    if (!this.isBusy) void this.work();
  }

  private async work(): Promise<void> {
    this.isBusy = true;
    while (this.tasks.length > 0) {
      await Promise.all(this.tasks.splice(0, this.devices.count).map((task) => task()));
    }
    this.isBusy = false;
    this.idleSinceMs = this.surroundings.process.nowMs();
  }

  private computing(times = 1): Promise<void> {
    const { process, chance, manner } = this.surroundings;
    const { hiccups } = manner;
    const pauseMs = chance.happens(hiccups) ? chance.between(800, chance.pick([3_000, 9_000])) : 0;
    return process.sleep(pauseMs + times * chance.between(this.manners.leastMs, this.manners.mostMs));
  }

  private async computeGradients(
    work: GradientWork__Output,
    weights: string,
    context: string,
  ): Promise<void> {
    const { line } = this;
    const tree = new ReductionTree(work.batchRows, work.microbatches);
    const reduction = new StepReduction<NodePayload>(tree, (left, right) =>
      mergePayloads(layout, left, right),
    );
    const digests = new Map<number, Buffer>();
    const cover = tree.cover(work.leaves.map(({ index }) => index));
    for (const [place, leaf] of work.leaves.entries()) {
      // One on each device at a time.
      if (place % this.devices.count === 0) await this.computing();
      if (this.line !== line) return;
      const { iteration, epoch, step } = work.position!;
      const numbers = numbersFrom(
        `${weights} ${context} ${iteration}/${epoch}/${step}/${leaf.index} ${this.manners.lies}`,
        leaf.anchors,
        leaf.positives,
        leaf.ownCodes,
        // Nothing where it is empty, so that seeds of other methods keep their numbers.
        ...(leaf.outputGradient.byteLength > 0 ? [leaf.outputGradient] : []),
        ...(leaf.exchangedParts.byteLength > 0 ? [leaf.exchangedParts] : []),
      );
      const payload = madeUpPayload(tree.rowCount(leaf.index), this.precision, numbers);
      digests.set(leaf.index, payloadDigest(payload));
      reduction.fill({ level: 0, index: leaf.index }, payload);
    }
    for (const node of cover) {
      const leaves = tree.leavesUnder(node);
      const compared = work.leaves.some(({ index, compared }) => compared && leaves.includes(index));
      const leafDigests =
        leaves.length > 1 || compared ? leaves.map((index) => ({ index, sha256: digests.get(index)! })) : [];
      this.sendNode(work, node, reduction.take(node)!, leafDigests);
    }
  }

  private sendNode(
    { position, exchange, leaves }: GradientWork__Output,
    node: TreeNode,
    payload: NodePayload,
    leafDigests: { index: number; sha256: Buffer }[],
  ): void {
    const { manners } = this;
    const fault = manners.nextAnswer;
    manners.nextAnswer = null;
    if (fault === 'nan')
      payload.gradient.set(payload.gradient instanceof Uint16Array ? [0x7fc0] : [Number.NaN]);
    if (fault === 'digest' && leafDigests[0]) leafDigests[0].sha256 = Buffer.alloc(32, 7);
    const isHeld = exchange && this.peer !== null;
    const isWhole = !isHeld || (leaves.length === 1 && leaves[0]!.compared);
    const sent = payloadArrays(isWhole ? payload : outcomeOf(payload));
    const parts = sent.map((array) => Buffer.from(bytesOf(array)));
    if (isHeld) {
      const vector = Buffer.concat([payload.gradient, packMoments(layout, payload.moments)].map(bytesOf));
      this.peer!.hold(position!, node, elementsOf(new Uint8Array(vector), this.precision));
    }
    if (fault === 'length') parts.pop();
    this.surroundings.answered('gradient');
    this.sendTensors(parts, (transfer) => ({
      nodeResult: { position, node, transfer, leafDigests, held: isHeld },
    }));
  }

  private async encode(work: EncodeWork__Output, weights: string): Promise<void> {
    const { line } = this;
    await this.computing(this.surroundings.manner.encodeTimes);
    if (this.line !== line) return;
    const { request, batch, output, split, images, position } = work;
    // In train mode, an output depends on the whole microbatch, and on its step.
    const together = position ? [JSON.stringify(position), images] : [];
    const indices = new Uint32Array(images.byteLength / 4).map((_, i) => images.readUInt32LE(4 * i));
    const parts = [...indices].map((image) => {
      const next = numbersFrom(`${weights} ${output} ${split} ${image} ${this.manners.lies}`, ...together);
      if (output === 'CODES') {
        const words = new Uint32Array(wordsPerCode(bits)).map(() => Math.floor(next() * 2 ** bits));
        return Buffer.from(bytesOf(words));
      }
      return Buffer.from(bytesOf(Float32Array.from({ length: bits }, () => 2 * next() - 1)));
    });
    this.surroundings.answered('encode');
    this.sendTensors([Buffer.concat(parts)], (transfer) => ({ encodeResult: { request, batch, transfer } }));
  }

  private sendTensors(
    parts: Uint8Array[],
    announce: (transfer: { id: number; byteLength: number }) => WorkerMessage,
  ): void {
    const id = ++this.transfers;
    this.send(announce({ id, byteLength: byteLengthOf(parts) }));
    const { pieceBytes } = this.surroundings;
    const pieces = parts.flatMap((part) =>
      Array.from({ length: Math.ceil(part.byteLength / pieceBytes) }, (_, i) =>
        part.subarray(i * pieceBytes, (i + 1) * pieceBytes),
      ),
    );
    for (const chunk of chunksOf(id, pieces)) this.send({ chunk });
  }
}

function sha256(...parts: (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex');
}
