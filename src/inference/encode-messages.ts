import type { EngineName } from '../run/training-run.js';
import type { PictureSource } from './encoder.js';

/** Tells a process which network it encodes with. */
export interface EncodeProcessOptions {
  readonly runDirectory: string;
  /** Name of the checkpoint. */
  readonly checkpoint: string;
  /** Null takes the run's. */
  readonly engine: 'auto' | EngineName | null;
  /** Pictures of strangers are refused above this, before they are decoded; null decodes every picture. */
  readonly mostPixels: number | null;
}

/** To the process. */
export type EncodeRequest =
  | ({ readonly kind: 'load' } & EncodeProcessOptions)
  | { readonly kind: 'encode'; readonly id: number; readonly pictures: readonly PictureSource[] };

/** From the process. */
export type EncodeAnswer =
  | { readonly kind: 'ready'; readonly engine: string; readonly differences: readonly string[] }
  | { readonly kind: 'codes'; readonly id: number; readonly codes: Uint32Array<ArrayBuffer> }
  | ({ readonly kind: 'failed'; readonly id: number | null } & FailureDescription);

/** An error as it is sent from one process to another. */
export interface FailureDescription {
  /** Null for one that is not the project's own. */
  readonly code: string | null;
  readonly message: string;
  readonly exitCode: number;
}
