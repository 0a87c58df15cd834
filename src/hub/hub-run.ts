import { systemClock } from '../clock.js';
import type { Log } from '../console/log.js';
import { DeadlineEstimator } from '../coordinator/dispatch/deadline.js';
import { runEncodeJob } from '../coordinator/dispatch/encode-job.js';
import type { Member } from '../coordinator/dispatch/member.js';
import { type IterationMessage, OutgoingWeights } from '../coordinator/dispatch/outgoing-weights.js';
import { StepPhases } from '../coordinator/dispatch/step-phases.js';
import type { WorkEvent } from '../coordinator/dispatch/work-event.js';
import type { WorkSurroundings } from '../coordinator/dispatch/work-surroundings.js';
import { CoordinatorError } from '../coordinator/error.js';
import { diskWatch } from '../disk/watch.js';
import { momentPasses } from '../methods/passes.js';
import { describeRunModel, type ModelLayout } from '../model/layout.js';
import type { WorkerPlace } from '../processes/plan.js';
import type { TrainingRunSpec } from '../run/training-run.js';
import { arrayFrom } from '../transport/bytes.js';
import { encodeCoordinatorMessage } from '../transport/codec.js';
import type { EncodeWork__Output } from '../transport/generated/fcaenet/v1/EncodeWork.js';
import type { GradientWork__Output } from '../transport/generated/fcaenet/v1/GradientWork.js';
import type { Heartbeat } from '../transport/generated/fcaenet/v1/Heartbeat.js';
import type { IterationContext__Output } from '../transport/generated/fcaenet/v1/IterationContext.js';
import type { Ready } from '../transport/generated/fcaenet/v1/Ready.js';
import type { ComputingRun, EncodedBatch, RunIngredients } from '../worker/computing-run.js';
import { bytesPerEncodedImage } from '../worker/encode-work.js';
import { WorkerError } from '../worker/error.js';
import type { FinishedNode } from '../worker/gradient-work.js';
import { runShape } from '../worker/run-shape.js';
import { contradiction, type HubProcesses, hubTerm, startProcesses } from './processes.js';
import { computeShare, shareOf } from './share.js';

/**
 * A run on the processes of this machine, one for each of its devices. Toward the run they are one worker: this process
 * gets its work and the weights once, hands them on, and sums what comes back. A process that is lost or late is
 * replaced by the others, as a worker is by other workers.
 */
export class HubRun implements ComputingRun {
  readonly isConcurrent = true;
  readonly weightBytes: number;
  readonly exchangeShape: ComputingRun['exchangeShape'];
  readonly packMoments: ComputingRun['packMoments'];
  private readonly encodeDeadlines = new DeadlineEstimator();
  /** The wire form of the weights in use. */
  private readonly wire: Uint8Array;
  private weights: OutgoingWeights | null = null;
  private weightsVersion = 0;
  private context: IterationMessage | null = null;
  private contexts = 0;
  /** Work that still needs the weights. */
  private readonly running = new Set<Promise<unknown>>();
  /** Totals of processes that are gone. */
  private readonly gone = { imagesDecoded: 0, imagesFromCache: 0, overdueFileOperations: 0 };
  private fail!: (reason: unknown) => void;
  readonly failure: Promise<unknown>;

  private constructor(
    private readonly spec: TrainingRunSpec,
    private readonly layout: ModelLayout,
    private readonly processes: HubProcesses,
    private readonly processCount: number,
    private readonly log: Log,
  ) {
    ({
      weightBytes: this.weightBytes,
      exchangeShape: this.exchangeShape,
      packMoments: this.packMoments,
    } = runShape(layout, spec));
    this.wire = new Uint8Array(this.weightBytes);
    const contradicted = new Promise<unknown>((resolve) => {
      this.fail = resolve;
    });
    this.failure = Promise.race([processes.failure, contradicted]);
    this.pool.on('gone', ({ tally }) => this.count(tally));
  }

  /** Throws the errors of `startProcesses`. */
  static async prepare(ingredients: RunIngredients, places: readonly WorkerPlace[]): Promise<HubRun> {
    const { spec } = ingredients.run;
    const layout = describeRunModel(spec);
    const processes = await startProcesses(ingredients, places);
    return new HubRun(spec, layout, processes, places.length, ingredients.log);
  }

  get ready(): Ready {
    const { identity, device } = this.processes.first;
    return {
      identity,
      device: `${this.processCount} x ${device}`,
      deterministic: true,
      devices: this.devices,
    };
  }

  statistics(): Heartbeat {
    const tallies = [this.gone, ...this.pool.all().map(({ tally }) => tally)];
    const sum = (of: (tally: HubRun['gone']) => number) =>
      tallies.reduce((total, tally) => total + of(tally), 0);
    return {
      imagesDecoded: sum(({ imagesDecoded }) => imagesDecoded),
      imagesFromCache: sum(({ imagesFromCache }) => imagesFromCache),
      overdueFileOperations:
        diskWatch.overdueTotal + sum(({ overdueFileOperations }) => overdueFileOperations),
      devices: this.devices,
    };
  }

  /** Work for earlier weights ends first, because a process may still have to get it. */
  async setWeights(bytes: Uint8Array): Promise<void> {
    await Promise.allSettled(this.running);
    this.wire.set(bytes);
    this.weights = new OutgoingWeights(hubTerm, ++this.weightsVersion, this.wire, this.spec.wire.precision);
  }

  setIterationContext(iterationContext: IterationContext__Output): void {
    const message = encodeCoordinatorMessage({ term: hubTerm, iterationContext });
    const follows = iterationContext.anchoredFeatures.byteLength > 0 && this.context;
    this.context = follows
      ? { ...follows, messages: [...follows.messages, message] }
      : { iteration: ++this.contexts, messages: [message] };
  }

  async *computeGradients(work: GradientWork__Output, signal: AbortSignal): AsyncGenerator<FinishedNode> {
    const { spec, layout, weights, context, pool } = this;
    if (!weights) {
      throw new WorkerError('WORKER_BAD_WORK', 'the coordinator sent gradient work before weights');
    }
    const share = shareOf(work, {
      term: hubTerm,
      request: pool.nextRequest(),
      shape: { layout, passes: momentPasses(spec), precision: spec.wire.precision },
      weights,
      context,
      phases: new StepPhases(systemClock),
      strict: this.isStrict,
    });
    for (const node of await this.run(computeShare(share, this.surroundings(signal)))) {
      yield node;
      pool.memory.give(node.payload.gradient.buffer);
    }
  }

  async encode(work: EncodeWork__Output, signal: AbortSignal): Promise<EncodedBatch> {
    const { weights } = this;
    if (!weights) {
      throw new WorkerError('WORKER_BAD_WORK', 'the coordinator sent encode work before weights');
    }
    const { output, split, position } = work;
    const images = arrayFrom(Uint32Array, work.images, 'the images of an encode batch');
    const job = {
      term: hubTerm,
      output,
      split,
      images,
      bytesPerImage: bytesPerEncodedImage(output, this.layout),
      weights,
      ...(position
        ? { microbatches: { position, ends: [images.length] } }
        : { deadlines: this.encodeDeadlines }),
      strict: this.isStrict,
    };
    let device = '';
    const note = (_: number, { name }: Member) => {
      device = name;
    };
    const bytes = await this.run(runEncodeJob(job, note, this.surroundings(signal)));
    return { bytes, device };
  }

  /** Each process loads the images of its own work. */
  prefetch(): void {}
  prefetchUpcoming(): void {}
  prefetchEncode(): void {}

  /** What fails in a process is explained there. */
  explain(error: unknown): unknown {
    return error;
  }

  close(): Promise<void> {
    return this.processes.fleet.close({ reason: 'this worker ends' });
  }

  private get pool() {
    return this.processes.fleet.pool;
  }

  private get isStrict(): boolean {
    return this.spec.operation.exactness === 'strict';
  }

  private get devices(): Ready['devices'] {
    return this.pool.admitted().map(({ name, engine, tally }) => ({
      name,
      device: engine!.device,
      microbatches: tally.microbatches,
      computeSeconds: tally.computeSeconds,
      imageWaitSeconds: tally.imageWaitSeconds,
    }));
  }

  private async run<Value>(work: Promise<Value>): Promise<Value> {
    this.running.add(work);
    try {
      return await work;
    } catch (error) {
      const isContradiction = error instanceof CoordinatorError && error.code === 'COORDINATOR_CONTRADICTION';
      throw isContradiction ? contradiction(error) : error;
    } finally {
      this.running.delete(work);
    }
  }

  private surroundings(signal: AbortSignal): WorkSurroundings {
    return {
      pool: this.pool,
      clock: systemClock,
      notify: (event) => this.note(event),
      signal,
      onLateContradiction: (error) => this.fail(contradiction(error)),
    };
  }

  private note(event: WorkEvent): void {
    const { log } = this;
    if (event.type === 'work.overdue') {
      const { member, units, work } = event;
      log.warn('device is late; others compute its work', { device: member.name, units, work });
    } else if (event.type === 'work.compared' && event.outcome === 'contradiction') {
      const { members, unit, work } = event;
      log.warn('devices contradict each other', { devices: members.map(({ name }) => name), unit, work });
    }
  }

  private count(tally: Member['tally']): void {
    const { gone } = this;
    gone.imagesDecoded += tally.imagesDecoded;
    gone.imagesFromCache += tally.imagesFromCache;
    gone.overdueFileOperations += tally.overdueFileOperations;
  }
}
