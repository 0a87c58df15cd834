/**
 * The JSON form of a run's present state: what `/api/runs/NAME` answers, and what the page and `fcaenet watch` show. The
 * page is built from this file too, so it needs nothing of Node.
 */

/**
 * - `waiting`: too few workers are there.
 * - `preparing`: before the first step: untrained features are measured, or features are encoded for a method on them.
 * - `evaluating`: the codes of an iteration are made or evaluated.
 * - `pausing`: a pause was asked for, and the current step is not finished.
 * - `stopping`: the coordinator was asked to end.
 * - `interrupted`: no coordinator has the run, and it is not finished; `--resume` continues it.
 */
export const viewStates = [
  'waiting',
  'preparing',
  'training',
  'evaluating',
  'pausing',
  'paused',
  'stopping',
  'finished',
  'interrupted',
  'failed',
] as const;
export type ViewState = (typeof viewStates)[number];

/** Whether a run in this state has no coordinator any more. */
export function isOver(state: ViewState): boolean {
  return state === 'finished' || state === 'interrupted' || state === 'failed';
}

/** One run among others. */
export interface RunSummary {
  readonly run: string;
  readonly state: ViewState;
  readonly method: string;
  readonly bits: number;
  /** Finished iterations, and all. */
  readonly iteration: number;
  readonly iterations: number;
  /** Of the last evaluation; null before the first. */
  readonly mAP: number | null;
}

/** Answer of `/api/runs`. */
export interface RunList {
  readonly runs: readonly RunSummary[];
  /** Where the page is served: by the coordinator of one run, or from a folder of runs. */
  readonly server: 'coordinator' | 'folder';
}

export interface IterationView {
  /** Counted from 1. */
  readonly iteration: number;
  /** Mean over its steps, by term; empty when it had no steps. */
  readonly losses: Readonly<Record<string, number>>;
  /** Null when it was not evaluated. */
  readonly mAP: number | null;
}

/** Losses of steps. Where there are more than fit, each point is the mean of `stepsPerPoint` steps. */
export interface LossCurveView {
  /** Finished steps of the run at the end of each point. */
  readonly steps: readonly number[];
  readonly stepsPerPoint: number;
  /** By term, as many values as `steps`. */
  readonly terms: Readonly<Record<string, readonly number[]>>;
}

export interface WorkerView {
  readonly slot: number;
  readonly name: string;
  readonly state: string;
  /** Null until the worker is admitted. */
  readonly device: string | null;
  readonly engine: string | null;
  /** Training images of the last seconds; null before they can be measured. */
  readonly imagesPerSecond: number | null;
  /** Mean time of the last answers, from sending the work; null without answers. */
  readonly answerSeconds: number | null;
  /** Microbatches that it has not answered in time. */
  readonly overdue: number;
  /** Unix time in milliseconds of its last message. */
  readonly lastHeardMs: number;
}

export interface EventView {
  readonly term: number;
  readonly sequence: number;
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly type: string;
  /** The event as a sentence. */
  readonly text: string;
}

export interface CheckpointView {
  readonly name: string;
  /** Unix time in milliseconds. */
  readonly writtenMs: number;
}

export interface RunView extends RunSummary {
  /** Leadership term; null when there was none. */
  readonly term: number | null;
  /** Why the run failed; null otherwise. */
  readonly reason: string | null;
  /** What the run waits for, after `the run waits`; null when it waits for nothing. */
  readonly waitsFor: string | null;
  readonly backbone: string;
  readonly seed: number;
  /** Settings that the result depends on, by path. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Counts what is finished. */
  readonly position: {
    readonly epoch: number;
    readonly step: number;
    readonly globalStep: number;
    readonly phase: 'train' | 'evaluate';
  };
  /** Epochs of an iteration; 0 when the method trains no network. */
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  /** What is being encoded; null when nothing is. */
  readonly activity: { readonly what: string; readonly done: number; readonly total: number } | null;
  /** Estimated time to the end; null when it cannot be estimated. */
  readonly secondsLeft: number | null;
  /**
   * Training images: of the last step while the run trains, of the whole run once it is finished. Null in every other
   * state, and before the first step of this process.
   */
  readonly imagesPerSecond: number | null;
  /** Seconds of training and evaluation over all processes of the run. */
  readonly seconds: number;
  readonly bestMAP: number | null;
  readonly iterationsDone: readonly IterationView[];
  readonly losses: LossCurveView;
  readonly workers: readonly WorkerView[];
  /** The last events, oldest first. */
  readonly events: readonly EventView[];
  /** The last checkpoints, oldest first. */
  readonly checkpoints: readonly CheckpointView[];
  /** Whether this page may control the run, with the run's control token. */
  readonly control: boolean;
}

/** Largest numbers of entries in a view, so that it stays small however long a run is. */
export const viewBounds = { iterations: 500, lossPoints: 400, events: 40, checkpoints: 10 } as const;

/** Requests that the page can send, with what they do. */
export const pageCommands = {
  pause: 'pauses the run after its current step; its workers stay',
  resume: 'continues the paused run',
  checkpoint: 'writes a checkpoint now',
  drain: 'removes the worker after its current work; the others take over',
  stop: 'stops the run with a checkpoint, so that it can be resumed; this page ends with it',
} as const;
export type PageCommand = keyof typeof pageCommands;
