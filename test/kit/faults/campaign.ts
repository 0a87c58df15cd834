import { runCommandLine } from '../command-line.js';
import { natsMissing } from '../nats-server.js';
import { type SmallRun, smallRun } from '../small-run.js';
import { canFillDisk, runSchedule, type ScheduleOutcome } from './run-schedule.js';
import {
  coordinatorFaults,
  type Fault,
  type FaultKind,
  faultsFromSeed,
  surroundingFaults,
  workerFaults,
} from './schedule.js';

/** What may go wrong on this machine. */
export const possibleFaults: readonly FaultKind[] = [
  ...workerFaults,
  ...coordinatorFaults.filter((kind) => kind !== 'disk-full' || canFillDisk()),
  ...surroundingFaults.filter((kind) => kind !== 'nats-stop' || natsMissing === ''),
];

export interface CampaignSettings {
  readonly workers: number;
  /** Optimiser steps of the run. */
  readonly steps: number;
  /** Changes to the small run. */
  readonly settings: readonly string[];
}

/** Many schedules of faults on one small run, and the digests that each of them has to end with. */
export class Campaign {
  private constructor(
    private readonly small: SmallRun,
    private readonly options: CampaignSettings,
    readonly expected: ScheduleOutcome['digests'],
  ) {}

  /** Trains the run undisturbed. */
  static async open(options: CampaignSettings): Promise<Campaign> {
    const small = await smallRun();
    const flags = ['metadata.name=undisturbed', ...options.settings].flatMap((setting) => ['--set', setting]);
    const { exitCode, stderr } = await runCommandLine(
      ['train', small.runFile, '--workers', String(options.workers), ...flags],
      { cwd: small.folder },
    );
    if (exitCode !== 0) throw new Error(`the undisturbed run ended with ${exitCode}: ${stderr}`);
    const { weightsSha256, codesSha256 } = await small.result('undisturbed');
    return new Campaign(small, options, { weightsSha256, codesSha256 });
  }

  /** Carries out the run under some faults. Throws what `runSchedule` throws. */
  run(name: string, faults: readonly Fault[], limitMs: number): Promise<ScheduleOutcome> {
    const { folder, runFile } = this.small;
    const { workers, settings } = this.options;
    return runSchedule({ folder, runFile, name, workers, faults, settings, limitMs });
  }

  close(): Promise<void> {
    return this.small.remove();
  }
}

/** The schedule of a seed, among everything that is possible here. */
export function scheduleOf(seed: number, options: CampaignSettings): Fault[] {
  return faultsFromSeed(seed, options, possibleFaults);
}
