import { FcaenetError } from '../errors.js';
import type { RunEventBody } from '../transport/events/run-event.js';
import type { RunResult } from './training/result.js';

/** How far a coordinator has come with its run. */
export type Phase =
  /** Restores the state and opens its ports. */
  | { readonly kind: 'opening' }
  | { readonly kind: 'training' }
  | { readonly kind: 'interrupted'; readonly checkpoint: string | null }
  | { readonly kind: 'finished'; readonly result: RunResult }
  | { readonly kind: 'failed'; readonly error: unknown };

/** What the workers are told when the coordinator goes in this phase. */
export function farewell(phase: Phase): { readonly reason: string; readonly resumable: boolean } {
  switch (phase.kind) {
    case 'finished':
      return { reason: 'it finished', resumable: false };
    case 'interrupted':
      return { reason: 'it was interrupted', resumable: true };
    default:
      return { reason: 'it failed', resumable: true };
  }
}

/** The event that tells of an ending; null where there is none yet. */
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
      return {
        type: 'run.failed',
        code: error instanceof FcaenetError ? error.code : 'UNEXPECTED',
        reason: error instanceof Error ? error.message : String(error),
      };
    }
    default:
      return null;
  }
}
