import { basename, join } from 'node:path';
import type { RunPosition } from '../../checkpoint/manifest.js';
import { CheckpointStore } from '../../checkpoint/store.js';
import { readersFence } from '../../coordinator/leadership/leadership.js';
import { type RunResult, readResult } from '../../coordinator/training/result.js';
import type { IterationRecord, UntrainedFigures } from '../../coordinator/training/run-state.js';
import { disk } from '../../disk/disk.js';
import { directoryOfRun } from '../../inference/trained-run.js';
import { lossesByTerm } from '../../model/loss.js';
import { undefinedIfAbsent } from '../../run/presence.js';
import { readTrainingRun } from '../../run/read.js';
import type { TrainingRun } from '../../run/training-run.js';

/**
 * State of a run directory.
 * - `running`: a living process holds it.
 * - `finished`: it has its result.
 * - `interrupted`: neither; `--resume` continues it.
 */
export type RunProgress = 'running' | 'finished' | 'interrupted';

/** A run as listed. */
export interface RunDescription {
  /** The directory's name. */
  readonly run: string;
  readonly state: RunProgress;
  readonly method: string;
  readonly bits: number;
  /** Finished iterations, of how many, and finished optimiser steps, all of the newest checkpoint. */
  readonly iteration: number;
  readonly iterations: number;
  readonly step: number;
  /** Of the last evaluation; null before the first. */
  readonly mAP: number | null;
  /** Time spent training and evaluating; null before the first checkpoint. */
  readonly seconds: number | null;
}

/** A run's directory, read without locking it. */
export interface RunContent {
  readonly path: string;
  readonly run: TrainingRun;
  readonly description: RunDescription;
  /** Finished iterations, of the result or else of the newest checkpoint. */
  readonly iterations: readonly FinishedIteration[];
  readonly evaluations: readonly {
    readonly iteration: number;
    readonly mAP: number;
    readonly tieAveragedMAP: number;
  }[];
  /** Where the newest checkpoint is; null before the first. */
  readonly position: RunPosition | null;
  /** Readable checkpoints, the newest first. */
  readonly checkpoints: readonly { readonly name: string; readonly writtenMs: number }[];
  /** Null where it was not measured. */
  readonly untrained: UntrainedFigures | null;
  /** Null until the run has finished. */
  readonly result: RunResult | null;
}

/** A finished iteration, with its mean losses by term. */
export type FinishedIteration = Omit<IterationRecord, 'losses'> & {
  readonly losses: Readonly<Record<string, number>>;
};

/** The used part of a checkpoint's history. */
interface History {
  readonly iterations: readonly IterationRecord[];
  readonly seconds: number;
  readonly untrained: UntrainedFigures | null;
}

/** Reads a run's directory. Throws the errors of reading its run file. */
export async function readRunContent(path: string): Promise<RunContent> {
  const directory = directoryOfRun(path);
  const run = readTrainingRun(directory.runFile);
  const result = readResult(directory);
  const entries = await new CheckpointStore(directory.checkpoints, {
    keep: 1,
    fence: readersFence(directory),
  }).list();
  const newest = entries.find(({ manifest }) => manifest !== null);
  const history = newest ? await readHistory(join(directory.checkpoints, newest.name)) : null;
  const position = newest?.manifest?.position;
  const iterations =
    result?.history ??
    history?.iterations.map((record) => ({
      ...record,
      losses: lossesByTerm(run.spec.method, record.losses),
    })) ??
    [];
  const evaluations = iterations.flatMap(({ iteration, evaluation }) =>
    evaluation ? [{ iteration, mAP: evaluation.mAP, tieAveragedMAP: evaluation.tieAveragedMAP }] : [],
  );
  const checkpoints = entries.flatMap(({ name, manifest }) =>
    manifest ? [{ name, writtenMs: Date.parse(manifest.created) }] : [],
  );
  const description: RunDescription = {
    run: basename(path),
    state: directory.isLocked ? 'running' : result ? 'finished' : 'interrupted',
    method: run.spec.method,
    bits: run.spec.bits,
    iteration: position?.iteration ?? 0,
    iterations: run.spec.schedule.iterations,
    step: position?.globalStep ?? 0,
    mAP: evaluations.at(-1)?.mAP ?? null,
    seconds: result?.seconds ?? history?.seconds ?? null,
  };
  const untrained = result?.untrained ?? history?.untrained ?? null;
  return {
    path,
    run,
    description,
    iterations,
    evaluations,
    position: position ?? null,
    checkpoints,
    untrained,
    result,
  };
}

/** Null when another checkpoint has just replaced this one. */
async function readHistory(checkpoint: string): Promise<History | null> {
  const bytes = await disk.readInput(join(checkpoint, 'history.json')).catch(undefinedIfAbsent);
  return bytes === undefined ? null : (JSON.parse(bytes.toString('utf8')) as History);
}
