/** Which loss terms train the network (method 1.12, reading A); `fcaenet` is both halves of ESRL. */
export const methods = ['baseline', 'srem', 'esrl', 'fcaenet'] as const;
export type Method = (typeof methods)[number];

/**
 * Where U, the outputs of the sampled images that the V-step works with, comes from: `encoded` in eval mode under the
 * weights that the V-step holds fixed (equation 16), or `recorded` in train mode as each image last went through an
 * optimiser step.
 */
export const sampledOutputs = ['encoded', 'recorded'] as const;
export type SampledOutputs = (typeof sampledOutputs)[number];

export const backbones = ['mobilenet_v1', 'resnet18', 'resnet50'] as const;
export type Backbone = (typeof backbones)[number];

export const crops = ['none', 'random-resized'] as const;

/** The datasets whose published layouts are read; a folder of one's own may have the layout of `cub`. */
export const datasetKinds = ['cub', 'aircraft', 'food101', 'nabirds', 'vegfru'] as const;
export type DatasetKind = (typeof datasetKinds)[number];

/** What executes tensor kernels. */
export const engineNames = ['onednn', 'tensorflow', 'webgpu'] as const;
export type EngineName = (typeof engineNames)[number];

/**
 * A training run with every setting decided: what the rest of the program works with. The bounds stand in
 * schema.ts, the defaults in presets.ts.
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

export interface TrainingRunSpec {
  readonly method: Method;
  /** Code length c. */
  readonly bits: number;
  /** Key of every random choice. */
  readonly seed: number;
  readonly dataset: {
    readonly path: string;
    /** What the folder must hold; null takes whichever it is. */
    readonly kind: DatasetKind | null;
    /** m: training images sampled per iteration. */
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
    readonly iterations: number;
    /** Epochs per iteration. */
    readonly epochs: number;
    readonly batchSize: number;
    /** Fixed slices of a batch; part of the result, unlike the number of workers. */
    readonly microbatches: number;
    readonly learningRate: number;
    /** The learning rate is multiplied by `decayFactor` after each of these iterations (counted from 1). */
    readonly decayAfter: readonly number[];
    readonly decayFactor: number;
  };
  readonly sampledOutputs: SampledOutputs;
  readonly optimizer: {
    readonly momentum: number;
    readonly weightDecay: number;
  };
  readonly engine: {
    /** `auto` takes the first that can run here, and never `webgpu`. */
    readonly name: 'auto' | EngineName;
    readonly threadsPerMicrobatch: number;
  };
  readonly operation: Operation;
}

/** What rows of a batch see of their pictures. */
export interface Augmentation {
  /**
   * `none` resizes whole pictures to the square; `random-resized` shows a random part in training, and the centre of a
   * picture with a short side 256/224 times the square's to queries.
   */
  readonly crop: (typeof crops)[number];
  /** Whether half of the training rows, by chance, are mirrored. */
  readonly flip: boolean;
}

/** What the result does not depend on: free to change when a run is resumed. */
export interface Operation {
  /** Local worker processes of `train`; auto is one per core, at most one per microbatch. */
  readonly workers: number | 'auto';
  /** Whether a worker whose probe gives other bits is refused or admitted with a warning. */
  readonly exactness: 'strict' | 'best-effort';
  readonly runsDirectory: string;
  /** Where workers connect, HOST:PORT; port 0 takes a free one. */
  readonly listen: string;
  /** The coordinator's PEM files; null speaks plain text, which only loopback may. */
  readonly tls: { readonly certificate: string; readonly key: string; readonly authority: string } | null;
  /** Where /metrics is served, HOST:PORT; auto is 127.0.0.1:9464 or, when taken, a free port; off is nowhere. */
  readonly metrics: string;
  readonly evaluation: {
    /** Iterations between evaluations; the last iteration is always evaluated on every query. */
    readonly every: number;
    /** Queries used before the last evaluation; null is all of them. */
    readonly maxQueries: number | null;
    readonly precisionAt: readonly number[];
    /** Whether to measure, before the first step, what colour histograms and untrained features reach. */
    readonly untrained: boolean;
  };
  readonly checkpoint: {
    readonly everyIterations: number;
    /**
     * Steps between checkpoints inside an iteration; null writes none there, auto as many as take at most a fiftieth of
     * the time.
     */
    readonly everySteps: number | 'auto' | null;
    /** Checkpoints kept beside the best and the last. */
    readonly keep: number;
  };
  readonly cache: {
    /** Folder of the decoded images shared by the workers of a host. */
    readonly directory: string;
    readonly limitBytes: number;
  };
  readonly membership: {
    /** Work is only handed out while at least this many workers are there. */
    readonly minWorkers: number;
    /** More workers than this are refused. */
    readonly maxWorkers: number;
    /** A worker that says nothing for this long is given up. */
    readonly silenceSeconds: number;
  };
  readonly verification: {
    /** Share of microbatches that a second worker computes too, to compare. */
    readonly rate: number;
  };
  readonly lease: {
    /** A coordinator that shows no sign of life for this long may be replaced by another. */
    readonly seconds: number;
  };
  readonly nats: NatsSettings;
  readonly debug: {
    /** Reports the objective after each bit of a V-step. */
    readonly objectivePerBit: boolean;
  };
}

/** The NATS server that run events, control requests and the lease go through, besides the run directory. */
export interface NatsSettings {
  /** nats://HOST:PORT, or tls://HOST:PORT where plain text is refused; null is none. */
  readonly url: string | null;
  /** A .creds file, as `nsc` makes it. */
  readonly credentials: string | null;
  /** PEM files; those that are null are not sent. */
  readonly tls: { readonly ca: string | null; readonly cert: string | null; readonly key: string | null };
  /** Events kept for a server that does not answer; further ones push out the oldest, which are counted as lost. */
  readonly bufferedEvents: number;
}
