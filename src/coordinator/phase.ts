import { FcaenetError, isPermanent } from '../errors.js';
import type { RunEventBody } from '../transport/events/run-event.js';
import type { Finish } from '../transport/generated/fcaenet/v1/Finish.js';
import { CoordinatorError } from './error.js';
import type { RunResult } from './training/result.js';

/** The phase of a run in this process. */
export type Phase =
  /** The coordinator restores the state and opens its ports. */
  | { readonly kind: 'opening' }
  | { readonly kind: 'training' }
  | { readonly kind: 'interrupted'; readonly checkpoint: string | null }
  | { readonly kind: 'finished'; readonly result: RunResult }
  | { readonly kind: 'failed'; readonly error: unknown };

/** The message to the workers when the coordinator ends in this phase. */
export function finishOf(phase: Phase): Finish {
  switch (phase.kind) {
    case 'finished':
      return { reason: 'it finished' };
    case 'interrupted':
      return { reason: 'it was interrupted', resumable: true };
    case 'failed':
      if (hasFailedForGood(phase.error)) return failedForGood(phase.error);
  }
  return { reason: 'it failed', resumable: true };
}

/** The event of a phase that ends the run; null for another phase. */
export function endingEvent(phase: Phase): RunEventBody | null {
  switch (phase.kind) {
    case 'finished': {
      const { mAP, weightsSha256, codesSha256 } = phase.result;
      return { type: 'run.finished', mAP, weightsSha256, codesSha256 };
    }
    case 'interrupted':
      return { type: 'run.interrupted', checkpoint: phase.checkpoint };
    case 'failed': {
      const { error } = phase;
      const code = error instanceof FcaenetError ? error.code : 'UNEXPECTED';
      return { type: 'run.failed', code, reason: reasonOf(error) };
    }
    default:
      return null;
  }
}

/** Whether the run was asked to stop. */
export function isInterrupted(error: unknown): boolean {
  return error instanceof CoordinatorError && error.code === 'COORDINATOR_INTERRUPTED';
}

/** Whether the coordinator would fail again after a restart. */
export function hasFailedForGood(error: unknown): boolean {
  return error instanceof FcaenetError && isPermanent(error.exitCode);
}

/** The message to the workers after such an error. */
export function failedForGood(error: unknown): Finish {
  return { reason: reasonOf(error), failed: true };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
