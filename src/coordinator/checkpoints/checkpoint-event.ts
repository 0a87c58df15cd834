/** An event of writing a checkpoint. */
export type CheckpointEvent =
  /** It is durable. */
  | {
      readonly type: 'checkpoint.written';
      readonly name: string;
      readonly bytes: number;
      readonly seconds: number;
    }
  /** A write was given up and started again, because a file operation did not answer. */
  | { readonly type: 'checkpoint.abandoned' }
  | { readonly type: 'checkpoint.failed' };
