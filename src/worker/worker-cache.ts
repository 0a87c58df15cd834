import { trainingHash } from '../run/training-hash.js';
import type { TrainingRun } from '../run/training-run.js';
import type { Welcome__Output } from '../transport/generated/fcaenet/v1/Welcome.js';
import { TransferMemory } from '../transport/transfer-memory.js';
import type { ComputingRun, PrepareRun, RunIngredients } from './computing-run.js';

/** Weights are copied before the next ones arrive. */
const keptTransfers = 1;

export interface WorkerCacheOptions extends Omit<RunIngredients, 'run'> {
  readonly prepareRun: PrepareRun;
}

/**
 * What a worker keeps between sessions: the run's engine, network, images and probe, which it reuses with the same
 * run's next coordinator, and the highest term that it has seen.
 */
export class WorkerCache {
  /** Where received weights are assembled. */
  readonly transfers = new TransferMemory({ arrays: keptTransfers });
  private prepared: { readonly key: string; readonly run: ComputingRun } | null = null;
  private leader: { readonly run: string; readonly term: number } | null = null;

  constructor(private readonly options: WorkerCacheOptions) {}

  /** The highest term seen of the last run; 0 before the first. */
  get term(): number {
    return this.leader?.term ?? 0;
  }

  /** The last run's name; empty before the first. */
  get runName(): string {
    return this.leader?.run ?? '';
  }

  /** Whether a coordinator of this term may lead: false below the highest term seen of the same run. */
  follow(run: string, term: number): boolean {
    if (this.leader?.run === run && term < this.leader.term) return false;
    this.leader = { run, term };
    return true;
  }

  /**
   * The run, ready to compute: the cached one when its training settings equal the welcome's, otherwise a new one.
   * Throws the errors of its `prepareRun`.
   */
  async prepare(welcome: Welcome__Output): Promise<{ readonly run: ComputingRun; readonly kept: boolean }> {
    // The coordinator's parser checked it before sending.
    const file = JSON.parse(welcome.runFile) as TrainingRun;
    const key = trainingHash(file);
    if (this.prepared?.key === key) return { run: this.prepared.run, kept: true };
    await this.close();
    const { prepareRun, ...ingredients } = this.options;
    const run = await prepareRun({ ...ingredients, run: file });
    this.prepared = { key, run };
    return { run, kept: false };
  }

  async close(): Promise<void> {
    const { prepared } = this;
    this.prepared = null;
    await prepared?.run.close();
  }
}
