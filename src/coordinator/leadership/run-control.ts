import type { RunPosition } from '../../checkpoint/manifest.js';
import type { RunView } from '../../live/view.js';
import type { ControlReply, ControlRequest } from '../../transport/control/message.js';

/** The output of `fcaenet status`. */
export interface RunStatus {
  readonly state: 'waiting' | 'running' | 'pausing' | 'paused' | 'stopping';
  /** Counts what is finished, so it starts at 0. */
  readonly position: RunPosition;
  readonly schedule: {
    readonly iterations: number;
    /** Epochs per iteration. */
    readonly epochs: number;
    readonly stepsPerEpoch: number;
  };
  readonly workers: readonly {
    readonly slot: number;
    readonly name: string;
    readonly state: string;
    /** Number of devices that it computes on. */
    readonly devices: number;
  }[];
  /** Result of the last evaluation; null before the first. */
  readonly mAP: number | null;
  /** The last checkpoint that this process wrote. */
  readonly checkpoint: { readonly name: string; readonly ageSeconds: number } | null;
}

/** What control requests can do with a run. */
export interface RunControlHooks {
  readonly run: string;
  readonly term: number;
  describe(): Omit<RunStatus, 'state'>;
  view(): RunView;
  /** Writes a checkpoint of the current state and returns its name. */
  checkpoint(): Promise<string>;
  /** Ends the run like SIGTERM. */
  stop(): void;
  /** Ends one worker's membership when it has answered its work; false when there is no such worker. */
  drain(worker: string): boolean;
  onPaused(): void;
  onContinued(): void;
  /** Ends every wait, with its reason. */
  readonly signal: AbortSignal;
}

/** Carries out control requests. Those that concern the training loop take effect between two steps. */
export class RunControl {
  private wanted: 'running' | 'paused' = 'running';
  private isHolding = false;
  private release = () => {};

  constructor(private readonly hooks: RunControlHooks) {}

  /** Blocks the training loop between two steps while the run is paused; rejects with the signal's reason. */
  async beforeStep(): Promise<void> {
    if (this.wanted === 'running') return;
    const { signal, onPaused, onContinued } = this.hooks;
    this.isHolding = true;
    onPaused();
    try {
      await new Promise<void>((resolve, reject) => {
        const stop = () => reject(signal.reason as Error);
        this.release = () => {
          signal.removeEventListener('abort', stop);
          resolve();
        };
        signal.addEventListener('abort', stop, { once: true });
        if (signal.aborted) stop();
      });
    } finally {
      this.isHolding = false;
      this.release = () => {};
    }
    onContinued();
  }

  state(): RunStatus['state'] {
    if (this.hooks.signal.aborted) return 'stopping';
    if (this.wanted === 'paused') return this.isHolding ? 'paused' : 'pausing';
    return this.hooks.describe().workers.length === 0 ? 'waiting' : 'running';
  }

  /** Throws the errors of writing a checkpoint. */
  async answer(request: ControlRequest): Promise<ControlReply> {
    const { hooks } = this;
    switch (request.command) {
      case 'status':
        return this.reply({ state: this.state(), ...hooks.describe() });
      case 'view':
        return this.reply({ view: hooks.view() });
      case 'pause':
        this.wanted = 'paused';
        return this.reply({ state: this.state() });
      case 'resume':
        this.wanted = 'running';
        this.release();
        return this.reply({ state: this.state() });
      case 'checkpoint':
        return this.reply({ checkpoint: await hooks.checkpoint() });
      case 'stop':
        hooks.stop();
        return this.reply({ state: this.state() });
      case 'drain':
        return hooks.drain(request.worker)
          ? this.reply({ worker: request.worker })
          : {
              ok: false,
              code: 'CONTROL_NO_SUCH_WORKER',
              message: `there is no worker ${request.worker}; status lists them by slot and name`,
            };
    }
  }

  private reply(fields: Record<string, unknown>): ControlReply {
    return { ok: true, run: this.hooks.run, term: this.hooks.term, ...fields };
  }
}
