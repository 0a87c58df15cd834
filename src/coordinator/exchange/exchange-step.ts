import { payloadBytes } from '../../reduction/payload.js';
import { wireBytes } from '../../transport/wire-vector.js';
import { isPosition, nodeTaker, runGradientStep } from '../dispatch/gradient-step.js';
import type { StepSum, UpdatingStep } from '../dispatch/gradient-work.js';
import type { Member } from '../dispatch/member.js';
import { RedundantWork } from '../dispatch/redundant-work.js';
import type { WorkSurroundings } from '../dispatch/work-surroundings.js';
import { ExchangedWork } from './exchanged-work.js';
import type { Participants } from './participants.js';
import type { WeightsDistribution } from './weights-distribution.js';

/** Interval at which a stalled exchange is looked for. */
const lookMs = 1_000;
/** Time without a sum after which an exchange is given up, and the time for the bytes of a gradient on a slow line. */
const patienceMs = 60_000;
const slowestBytesPerMs = 1_000;

/** What the exchange of a run consists of. */
export interface Exchange {
  readonly participants: Participants;
  readonly distribution: WeightsDistribution;
  /** Whether the sum of a range is compared, drawn for each one, so that no worker can know. */
  readonly isCompared: () => boolean;
}

/** The exchange cannot give the sum of this step. */
class ExchangeGivenUp extends Error {}

/**
 * Computes one step's summed gradient: in the exchange where the workers can take part in it, else in the star. A step
 * whose exchange fails is computed again in the star.
 * @returns as `runGradientStep`, which also says what is thrown
 */
export async function runStep(
  exchange: Exchange,
  step: UpdatingStep,
  surroundings: WorkSurroundings,
): Promise<StepSum> {
  const { participants, distribution } = exchange;
  try {
    const members = participants.choose();
    const blocked = participants.news();
    if (blocked) surroundings.notify({ type: 'exchange.blocked', ...blocked });
    surroundings.notify({ type: 'exchange.used', members: members?.length ?? 0 });
    if (members === null) return await runGradientStep(step, surroundings);
    try {
      return await runExchange(exchange, members, step, surroundings);
    } catch (error) {
      if (!(error instanceof ExchangeGivenUp)) throw error;
      distribution.spoil();
      surroundings.notify({ type: 'exchange.given-up', reason: error.message });
      return await runGradientStep(step, surroundings);
    }
  } finally {
    distribution.forget();
  }
}

async function runExchange(
  { participants, distribution, isCompared }: Exchange,
  members: readonly Member[],
  step: UpdatingStep,
  surroundings: WorkSurroundings,
): Promise<StepSum> {
  const { pool, clock } = surroundings;
  const { tree, shape, position, phases } = step;
  participants.tell(members);
  distribution.distribute(step.weights);
  let stopExpecting = () => {};
  const kind = new ExchangedWork(
    step,
    participants,
    distribution,
    members,
    clock,
    {
      onChange: () => work.goOn(),
      giveUp: (reason) => work.giveUp(new ExchangeGivenUp(reason)),
      failed: (error) => work.giveUp(error),
      compared: ({ start }, outcome) =>
        surroundings.notify({ type: 'work.compared', work: 'ranges', unit: start, outcome, members: [] }),
    },
    isCompared,
    () => stopExpecting(),
  );
  const work = new RedundantWork(kind, surroundings);
  const gradientBytes = wireBytes(shape.precision, shape.layout.parameterCount);
  const taker = nodeTaker(step, work, (result) =>
    // A whole answer after the end belongs to the star that has taken the step over.
    kind.isOver && !result.held ? null : kind.bytesOfNode(result),
  );
  const stopNodes = pool.nodes.begin(taker, payloadBytes(shape, tree.batchRows));
  const stopRanges = pool.ranges.begin(
    {
      bytesOf: (result) => (isPosition(position, result.position) ? kind.bytesOfRange(result) : null),
      take: (member, result, bytes) => phases.handle(() => kind.takeRange(member, result, bytes)),
      placeOf: (member, result) => kind.placeOf(member, result),
    },
    gradientBytes,
  );
  const askAgain = (member: Member) => kind.askAgain(member);
  pool.on('rangesLost', askAgain);
  stopExpecting = () => {
    stopNodes();
    stopRanges();
    pool.off('rangesLost', askAgain);
  };
  const patience = patienceMs + gradientBytes / slowestBytesPerMs;
  const stopLooking = clock.every(lookMs, () => {
    if (kind.stalledMs > patience) {
      work.giveUp(new ExchangeGivenUp(`no sum came for ${Math.round(kind.stalledMs / 1000)} s`));
    }
  });
  const running = work.run();
  void Promise.all(members.map((member) => member.hasLeft())).then(() => phases.sent());
  try {
    await running;
  } finally {
    stopLooking();
  }
  phases.summed();
  return kind.sum!;
}
