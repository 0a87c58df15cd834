import type { FirstCodes } from '../methods/first-codes.js';
import type { Method } from '../methods/methods.js';
import type { BatchNormalisation } from '../methods/passes.js';
import type { MethodSettings } from '../methods/settings.js';

/**
 * Source of U, the outputs of the sampled images in the V-step: `encoded` in eval mode under the weights that the
 * V-step holds fixed (equation 16), or `recorded` in train mode when each image last went through an optimiser step.
 */
export const sampledOutputs = ['encoded', 'recorded'] as const;
export type SampledOutputs = (typeof sampledOutputs)[number];

/** Backbones, each with whether its channel counts have a factor, `spec.model.width`. */
const widthFactors = { mobilenet_v1: true, resnet18: false, resnet50: false } as const;
export type Backbone = keyof typeof widthFactors;
export const backbones = Object.keys(widthFactors) as readonly Backbone[];

export function hasWidthFactor(backbone: Backbone): boolean {
  return widthFactors[backbone];
}

/** Formats of the numbers of gradients and weights between coordinator and workers. */
export const wirePrecisions = ['float32', 'bfloat16'] as const;
export type WirePrecision = (typeof wirePrecisions)[number];

export const crops = ['none', 'random-resized'] as const;

/** Datasets with supported layouts. A user's own folder may have the layout of `cub`. */
export const datasetKinds = ['cub', 'aircraft', 'food101', 'nabirds', 'vegfru'] as const;
export type DatasetKind = (typeof datasetKinds)[number];

/** What executes tensor kernels. */
export const engineNames = ['onednn', 'tensorflow', 'webgpu'] as const;
export type EngineName = (typeof engineNames)[number];

/**
 * A training run with a value for every setting, as used by the rest of the program. schema.ts has the bounds,
 * presets.ts the defaults.
 */
export interface TrainingRun {
  readonly apiVersion: 'fcaenet.dev/v1';
  readonly kind: 'TrainingRun';
  readonly metadata: {
    /** Names the run's directory. */
    readonly name: string;
  };
  readonly spec: TrainingRunSpec;
}

export interface TrainingRunSpec extends MethodSettings {
  readonly method: Method;
  /** Code length c. */
  readonly bits: number;
  /** Key of every random choice. */
  readonly seed: number;
  readonly dataset: {
    readonly path: string;
    /** Required layout of the folder; null accepts any. */
    readonly kind: DatasetKind | null;
    /** m: training images sampled per iteration; 1 when the method trains no network. */
    readonly sampleSize: number;
  };
  readonly model: {
    readonly backbone: Backbone;
    /** Channel multiplier alpha of MobileNetV1; 1 for the others. */
    readonly width: number;
    /** Side of the square the picture is resized to, in pixels. */
    readonly imageSize: number;
    /** Pretrained backbone: a TF.js weights manifest's folder or a .safetensors file; null starts untrained. */
    readonly weights: string | null;
  };
  readonly augmentation: Augmentation;
  readonly loss: {
    /** Weight of the quantisation term. */
    readonly gamma: number;
    /** Weight of anchor against positive. */
    readonly alpha: number;
    /** Weight of anchor against erased anchor. */
    readonly beta: number;
  };
  readonly erasing: {
    /** k: how many of the hottest pixels start an erased square. */
    readonly regions: number;
    /** s: side of an erased square, in pixels. */
    readonly size: number;
  };
  readonly schedule: {
    /** 1 when the method trains no network. */
    readonly iterations: number;
    /** Epochs per iteration; 0 when the method trains no network. */
    readonly epochs: number;
    readonly batchSize: number;
    /** Fixed slices of a batch. They affect the result, unlike the number of workers. */
    readonly microbatches: number;
    readonly learningRate: number;
    /** The learning rate is multiplied by `decayFactor` after each of these iterations (counted from 1). */
    readonly decayAfter: readonly number[];
    readonly decayFactor: number;
  };
  /** The usual settings where the method has no such branch. */
  readonly batchNormalisation: BatchNormalisation & {
    /** Share of a batch in the running statistics after it, once for each pass that moves them. */
    readonly momentum: number;
  };
  /** `published` where no V is learned, and for `adsh` and `exchnet` instead of `zero`. */
  readonly firstCodes: FirstCodes;
  readonly sampledOutputs: SampledOutputs;
  readonly optimizer: {
    readonly momentum: number;
    readonly weightDecay: number;
    /** Euclidean norm to which a longer gradient of a batch is clipped; null for none. */
    readonly maxGradientNorm: number | null;
  };
  readonly wire: {
    /**
     * bfloat16 rounds each microbatch's gradient, each sum of two, and the weights that workers get. The coordinator
     * keeps weights and momentum in float32.
     */
    readonly precision: WirePrecision;
  };
  readonly engine: {
    /** `auto` takes the first that can run here, and never `webgpu`. */
    readonly name: 'auto' | EngineName;
    readonly threadsPerMicrobatch: number;
  };
  readonly operation: Operation;
}

/** How rows of a batch view their pictures. */
export interface Augmentation {
  /**
   * `none` resizes whole pictures to the square. `random-resized` trains on a random part, and uses the centre of a
   * picture with a short side of 256/224 times the square's for queries.
   */
  readonly crop: (typeof crops)[number];
  /** Whether a random half of the training rows is mirrored. */
  readonly flip: boolean;
}

/** Settings that do not affect the result. They may change when a run is resumed. */
export interface Operation {
  /** Local worker processes of `train`; auto is one per GPU, or one per core, at most one per microbatch. */
  readonly workers: number | 'auto';
  /**
   * GPUs of the local workers. auto takes those that the engine can use, if there are any, and none the processors. By
   * name (all, or numbers and UUIDs) each worker gets one whatever the engine.
   */
  readonly devices: 'auto' | 'none' | 'all' | readonly (number | string)[];
  /** Whether a worker whose probe gives other bits is refused, or admitted with a warning. */
  readonly exactness: 'strict' | 'best-effort';
  /**
   * Whether workers on other connections send their gradients to one another, and the coordinator only receives sums.
   * off: all send them to the coordinator.
   */
  readonly exchange: 'auto' | 'off';
  readonly runsDirectory: string;
  /** Address for workers, HOST:PORT; port 0 takes a free one. */
  readonly listen: string;
  /** The coordinator's PEM files; null is plain text, allowed on loopback only. */
  readonly tls: { readonly certificate: string; readonly key: string; readonly authority: string } | null;
  /**
   * Address of the run's page and /metrics, HOST:PORT. auto is 127.0.0.1:9464, or a free port if that is in use. off
   * disables it.
   */
  readonly metrics: string;
  /** The page of the run, which is at the address of /metrics. */
  readonly monitor: {
    /** Whether the page may control the run, with the token in the run directory's file control-token. */
    readonly control: boolean;
    /** Names under which the page is served, besides addresses and localhost. */
    readonly hosts: readonly string[];
  };
  /** Folder for the event files of TensorBoard, in a folder of the run's name; null writes none. */
  readonly tensorboard: string | null;
  readonly evaluation: {
    /** Iterations between evaluations; the last iteration is always evaluated on every query. */
    readonly every: number;
    /** Queries used before the last evaluation; null is all of them. */
    readonly maxQueries: number | null;
    readonly precisionAt: readonly number[];
    /** Whether to measure colour histograms and untrained features before the first step. */
    readonly untrained: boolean;
  };
  readonly checkpoint: {
    readonly everyIterations: number;
    /**
     * Steps between checkpoints inside an iteration; null writes none there; auto limits them to a fiftieth of the
     * time.
     */
    readonly everySteps: number | 'auto' | null;
    /** Checkpoints kept besides the best and the last. */
    readonly keep: number;
  };
  readonly cache: {
    /** Folder of decoded images, shared by the workers of a host. */
    readonly directory: string;
    readonly limitBytes: number;
  };
  readonly membership: {
    /** Work is only handed out to at least this many workers. */
    readonly minWorkers: number;
    /** Further workers are refused. */
    readonly maxWorkers: number;
    /** A worker that is silent for this long is removed. */
    readonly silenceSeconds: number;
    /** Names of GPUs, or parts of them: workers with other devices are refused. null takes every device. */
    readonly deviceModels: readonly string[] | null;
  };
  readonly verification: {
    /** Share of microbatches that a second worker computes too, to compare. */
    readonly rate: number;
  };
  readonly lease: {
    /** A coordinator without sign of life for this long may be replaced. */
    readonly seconds: number;
  };
  readonly nats: NatsSettings;
  readonly debug: {
    /** Reports the objective after each bit of a V-step. */
    readonly objectivePerBit: boolean;
  };
}

/** The NATS server for run events, control requests and the lease, in addition to the run directory. */
export interface NatsSettings {
  /** nats://HOST:PORT, or tls://HOST:PORT to require TLS; null is none. */
  readonly url: string | null;
  /** A .creds file, as made by `nsc`. */
  readonly credentials: string | null;
  /** PEM files; null files are not sent. */
  readonly tls: { readonly ca: string | null; readonly cert: string | null; readonly key: string | null };
  /** Events kept for a server that does not answer. Further events replace the oldest, which are counted as lost. */
  readonly bufferedEvents: number;
}
