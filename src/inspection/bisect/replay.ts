import type { Console } from '../../console/console.js';
import { runGradientStep } from '../../coordinator/dispatch/gradient-step.js';
import { DirectLane } from '../../coordinator/lane/direct-lane.js';
import { firstState } from '../../coordinator/training/first-state.js';
import { TrainingLoop } from '../../coordinator/training/training-loop.js';
import type { Identity } from '../../identity/identity.js';
import { gradientSha256 } from '../../ledger/entry.js';
import { payloadDigest } from '../../reduction/payload.js';
import { runSampler } from '../../schedule/run-sampler.js';
import { withLocalWorkers } from '../local-fleet.js';
import type { OpenedRun } from './opened-run.js';
import { type NamedTensors, payloadTensors, stateTensors } from './tensors.js';

/** A microbatch, computed by this machine. */
export interface ReplayedLeaf {
  /** SHA-256 (hex) of its payload as on the wire. */
  readonly sha256: string;
  readonly tensors: NamedTensors;
}

/** A step of a run, computed again by this machine. */
export interface Replay {
  /** The checkpoint from which it was computed; null for the beginning of the run. */
  readonly checkpoint: string | null;
  /** Number of steps that were computed again before it. */
  readonly stepsBefore: number;
  /** The first step, counted from 1, whose gradient differs from the ledger's; null for none. */
  readonly otherThanLedgerAtStep: number | null;
  /** The state before the step. */
  readonly state: NamedTensors;
  /** The microbatches of the step, by index. */
  readonly leaves: ReadonlyMap<number, ReplayedLeaf>;
  /** SHA-256 of the step's summed gradient. */
  readonly gradientSha256: string;
  /** Numerical identity of this machine's workers. */
  readonly identity: Identity;
}

/** Thrown to end the loop after the step; caught in this file. */
const arrived = new Error('the step is computed');

/**
 * Computes one step of a recorded run again, from the newest checkpoint before it or from the run's beginning. The run is
 * not changed.
 * @param globalStep counted from 0
 * @throws what reading a checkpoint or pretrained weights throws, and CoordinatorError COORDINATOR_CONTRADICTION when
 *   workers of this machine contradict each other
 */
export async function replayStep(opened: OpenedRun, globalStep: number, console: Console): Promise<Replay> {
  const { run, dataset, layout, checkpoints, ledgers, steps } = opened;
  const { operation } = run.spec;
  // Evaluations are left out, because no step depends on them.
  const evaluation = { ...operation.evaluation, every: run.spec.schedule.iterations + 1, untrained: false };
  const spec = { ...run.spec, operation: { ...operation, evaluation } };
  const restored = await checkpoints.restore(ledgers, { least: 0, most: globalStep });
  const state = restored?.state ?? (await firstState(spec, layout, dataset, console.log));
  const first = state.position.globalStep;
  const task = console.startTask({
    name: `steps of ${run.metadata.name}`,
    total: globalStep + 1,
    unit: 'steps',
  });
  let identity: Identity | null = null;
  let otherThanLedgerAtStep: number | null = null;
  const note = (step: number, sha256: string) => {
    if (sha256 !== steps[step]!.gradientSha256) otherThanLedgerAtStep ??= step + 1;
    task.update(step + 1);
  };
  const leaves = new Map<number, ReplayedLeaf>();
  let stepSha256 = '';
  // Any numerical identity is accepted, because the run may have been computed on another machine.
  const origin = { identity: null, version: null };
  const onIdentity = (found: Identity) => {
    identity ??= found;
  };
  await withLocalWorkers(
    { run, dataset, origin, what: 'comparison', console, onIdentity },
    async (surroundings) => {
      const loop = new TrainingLoop({
        ...surroundings,
        spec,
        term: 0,
        dataset,
        sampler: runSampler(spec, dataset),
        layout,
        state,
        lane: new DirectLane(),
        notify: () => {},
        ledger: { record: async (step) => note(step.globalStep, step.gradientSha256) },
        runStep: async (step, around) => {
          if (state.position.globalStep < globalStep) return runGradientStep(step, around);
          const sum = await runGradientStep(
            {
              ...step,
              // Every microbatch is computed separately, and by two workers if there are two.
              verified: step.tree.leaves,
              onLeaf: (leaf, payload) =>
                leaves.set(leaf, {
                  sha256: payloadDigest(payload).toString('hex'),
                  tensors: payloadTensors(layout, payload),
                }),
            },
            around,
          );
          stepSha256 = gradientSha256(sum.gradient);
          note(globalStep, stepSha256);
          throw arrived;
        },
        beforeStep: async () => {},
        beforeFinishing: async () => {},
        checkpointIsDue: () => false,
        checkpoint: async () => {},
      });
      await loop.run().catch((error) => {
        if (error !== arrived) throw error;
      });
    },
  );
  task.finish();
  return {
    checkpoint: restored?.name ?? null,
    stepsBefore: globalStep - first,
    otherThanLedgerAtStep,
    state: stateTensors(layout, state),
    leaves,
    gradientSha256: stepSha256,
    identity: identity!,
  };
}
