import type { CoordinatorMessage } from '../../transport/generated/fcaenet/v1/CoordinatorMessage.js';
import type { GradientStep } from './gradient-step.js';
import type { Member } from './member.js';
import { sendContext } from './outgoing-weights.js';

/** Sends a worker some leaves of a step, after what it needs for them and has not got yet. */
export function sendGradientWork(worker: Member, step: GradientStep, leaves: readonly number[]): void {
  const upcoming = step.upcoming(leaves);
  sendContext(worker, step.context);
  void step.weights.sendTo(worker);
  const message: CoordinatorMessage = {
    term: step.term,
    gradientWork: {
      position: step.position,
      weightsVersion: step.weights.version,
      batchRows: step.tree.batchRows,
      microbatches: step.tree.microbatches,
      leaves: leaves.map((leaf) => ({ ...step.leaf(leaf), compared: step.verified.includes(leaf) })),
      ...(upcoming && {
        upcomingImages: Buffer.from(upcoming.images),
        upcomingPosition: upcoming.position,
      }),
    },
  };
  void worker.outbox.send(message);
}
