import type { Dataset } from '../data/dataset.js';
import { diskWatch } from '../disk/watch.js';
import { loadEngine } from '../engine/loader.js';
import type { CodeSummary } from '../hashing/similarity.js';
import { arithmeticVersion } from '../identity/arithmetic-version.js';
import type { GpuDevice } from '../machine/devices/device.js';
import { pairLoss, usesPositives } from '../methods/methods.js';
import { microbatchGraphHash } from '../model/any-engine.js';
import { describeRunModel, localFeatureCount, type ModelLayout } from '../model/layout.js';
import { Network } from '../model/network.js';
import { weightsFromWire } from '../model/wire-weights.js';
import type { TrainingRunSpec } from '../run/training-run.js';
import { arrayFrom } from '../transport/bytes.js';
import type { EncodeWork__Output } from '../transport/generated/fcaenet/v1/EncodeWork.js';
import type { GradientWork__Output } from '../transport/generated/fcaenet/v1/GradientWork.js';
import type { Heartbeat } from '../transport/generated/fcaenet/v1/Heartbeat.js';
import type { IterationContext__Output } from '../transport/generated/fcaenet/v1/IterationContext.js';
import type { Position__Output } from '../transport/generated/fcaenet/v1/Position.js';
import type { Ready } from '../transport/generated/fcaenet/v1/Ready.js';
import type { ComputingRun, EncodedBatch, RunIngredients } from './computing-run.js';
import { explainedBy, requireDeviceMemory } from './device-limits.js';
import { computeEncodeWork, viewsOfBatch } from './encode-work.js';
import { WorkerError } from './error.js';
import { WorkerGradients } from './gradient-memory.js';
import { computeGradientWork, type FinishedNode } from './gradient-work.js';
import { ImageLoader } from './images/loader.js';
import { parallelDecodes } from './images/parallel-decodes.js';
import { viewsOfRows } from './images/rows.js';
import { probeDigest } from './probe.js';
import { runShape } from './run-shape.js';

/** What a worker that computes itself holds for one run: engine, network, images and the last iteration context. */
export class WorkerRun implements ComputingRun {
  readonly isConcurrent = false;
  readonly failure = null;
  readonly weightBytes: number;
  readonly exchangeShape: ComputingRun['exchangeShape'];
  readonly packMoments: ComputingRun['packMoments'];
  private summary: CodeSummary | null = null;
  /** Local features of the classes `[classes, parts, width]`; null while none are exchanged. */
  private anchored: Float32Array | null = null;
  private readonly gradients: WorkerGradients;

  private constructor(
    private readonly spec: TrainingRunSpec,
    private readonly dataset: Dataset,
    private readonly layout: ModelLayout,
    private readonly network: Network,
    private readonly images: ImageLoader,
    /** The GPU that computes; null on processors. */
    private readonly device: GpuDevice | null,
    readonly ready: Ready,
  ) {
    ({
      weightBytes: this.weightBytes,
      exchangeShape: this.exchangeShape,
      packMoments: this.packMoments,
    } = runShape(layout, spec));
    this.gradients = new WorkerGradients(layout.parameterCount, spec.wire.precision);
  }

  /** Loads the engine, builds the network and computes the probe. Throws the errors of each. */
  static async prepare({ run, dataset, cache, log }: RunIngredients): Promise<WorkerRun> {
    const { spec } = run;
    const { threadsPerMicrobatch } = spec.engine;
    const engine = await loadEngine(spec.engine.name, { threads: threadsPerMicrobatch });
    const { description, choice, device: gpu } = engine;
    if (gpu !== null) requireDeviceMemory(gpu, spec);
    const layout = describeRunModel(spec);
    const network = new Network(layout);
    let probeSha256: string;
    try {
      probeSha256 = await probeDigest(network, layout, spec);
    } catch (error) {
      throw explainedBy(gpu, error);
    }
    const ready: Ready = {
      identity: {
        engine: description.name,
        engineVersion: description.version,
        instructionSet: description.instructionSet,
        buildHash: description.buildHash || microbatchGraphHash(network),
        threadsPerMicrobatch,
        microbatches: spec.schedule.microbatches,
        wirePrecision: spec.wire.precision,
        arithmeticVersion,
        probeSha256,
        ...(description.gpu && {
          deviceModel: description.gpu.model,
          computeCapability: description.gpu.computeCapability,
          driverVersion: description.gpu.driverVersion,
        }),
      },
      device: description.device,
      deterministic: description.deterministic,
    };
    // Last, because a later failure would leave the loader's thread running.
    const images = await ImageLoader.open(
      {
        dataset,
        imageSize: spec.model.imageSize,
        augmentation: spec.augmentation,
        seed: spec.seed,
        cacheDirectory: cache.directory,
        cacheLimitBytes: cache.limitBytes,
        parallelDecodes: parallelDecodes(gpu !== null),
      },
      (message) => log.warn(message),
    );
    const { name, version, device } = description;
    log.info('engine ready', { engine: name, version, device, choice });
    return new WorkerRun(spec, dataset, layout, network, images, gpu, ready);
  }

  /** An error of this run's computations: that of the GPU, where it is the reason. */
  explain(error: unknown): unknown {
    return explainedBy(this.device, error);
  }

  statistics(): Heartbeat {
    const { train, test } = this.images;
    return {
      imagesDecoded: train.statistics.decoded + test.statistics.decoded,
      imagesFromCache: train.statistics.cached + test.statistics.cached,
      overdueFileOperations: diskWatch.overdueTotal,
    };
  }

  setWeights(bytes: Uint8Array): void {
    this.network.setWeights(weightsFromWire(bytes, this.layout, this.spec.wire.precision));
  }

  setIterationContext(context: IterationContext__Output): void {
    const { bits } = this.spec;
    const classCount = this.dataset.classNames.length;
    const { databaseSize, ratio } = context;
    if (context.anchoredFeatures.byteLength > 0) {
      this.setAnchored(context, classCount);
      return;
    }
    this.anchored = null;
    this.summary = {
      bits,
      databaseSize,
      classCount,
      ratio,
      gram: arrayFrom(Float64Array, context.gram, 'the Gram matrix of V', bits * bits),
      classSums: arrayFrom(Float64Array, context.classSums, 'the class sums of V', classCount * bits),
      total: arrayFrom(Float64Array, context.total, 'the sum of V', bits),
      classSizes: arrayFrom(Int32Array, context.classSizes, 'the class sizes', classCount),
    };
  }

  computeGradients(work: GradientWork__Output, signal: AbortSignal): AsyncGenerator<FinishedNode> {
    if (!this.summary && !pairLoss(this.spec.method)) {
      throw new WorkerError(
        'WORKER_BAD_WORK',
        'the coordinator sent gradient work before an iteration context',
      );
    }
    const { spec, network, summary, anchored } = this;
    const context = {
      spec,
      network,
      summary,
      anchored,
      trainImages: this.images.train,
      trainLabels: this.dataset.train.labels,
      memory: this.gradients,
    };
    return computeGradientWork(context, work, signal);
  }

  async encode(work: EncodeWork__Output): Promise<EncodedBatch> {
    const { spec, network, dataset } = this;
    const images = {
      TRAIN: { source: this.images.train, count: dataset.train.labels.length },
      TEST: { source: this.images.test, count: dataset.test.labels.length },
    };
    return { bytes: await computeEncodeWork({ spec, network, images }, work), device: '' };
  }

  prefetch(work: GradientWork__Output): void {
    for (const { anchors, positives } of work.leaves) this.prefetchRows(anchors, positives, work.position);
  }

  prefetchUpcoming(work: GradientWork__Output): void {
    const { upcomingImages: images, upcomingPosition } = work;
    const end = usesPositives(this.spec.method) ? images.byteLength / 2 : images.byteLength;
    this.prefetchRows(images.subarray(0, end), images.subarray(end), upcomingPosition);
  }

  prefetchEncode(work: EncodeWork__Output): void {
    const split = work.split === 'TRAIN' ? 'train' : 'test';
    const images = this.imagesOf(work.images, split);
    if (images) this.images[split].prefetch(images, viewsOfBatch(this.spec, work, images));
  }

  async close(): Promise<void> {
    await this.images.close();
    this.network.dispose();
  }

  /** @throws WorkerError where the message has features of other classes than the dataset's */
  private setAnchored({ anchoredFeatures, firstClass }: IterationContext__Output, classCount: number): void {
    const size = localFeatureCount(this.layout);
    const values = arrayFrom(Float32Array, anchoredFeatures, 'local features of classes');
    const end = firstClass + values.length / size;
    if (!Number.isInteger(end) || end > classCount) {
      throw new WorkerError(
        'WORKER_BAD_WORK',
        `the coordinator sent ${values.length} local features from class ${firstClass} on, expected ${size} for each of ${classCount} classes`,
      );
    }
    this.anchored ??= new Float32Array(classCount * size);
    this.anchored.set(values, firstClass * size);
  }

  private prefetchRows(
    anchorBytes: Uint8Array,
    positiveBytes: Uint8Array,
    position: Position__Output | null,
  ) {
    const anchors = this.imagesOf(anchorBytes, 'train');
    const positives = this.imagesOf(positiveBytes, 'train');
    if (!anchors || !positives || !position) return;
    const views = viewsOfRows(this.spec.augmentation, position, anchors);
    this.images.train.prefetch(anchors, views.anchors);
    if (positives.length === anchors.length) this.images.train.prefetch(positives, views.positives);
  }

  /** Null for an invalid index. Prefetching is only a hint; computing the work reports the error. */
  private imagesOf(bytes: Uint8Array, split: 'train' | 'test'): Int32Array | null {
    const { length: count } = this.dataset[split].labels;
    const images = arrayFrom(Int32Array, bytes, 'image positions');
    return images.every((index) => index >= 0 && index < count) ? images : null;
  }
}
