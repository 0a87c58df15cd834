import * as z from 'zod';

/** The schema of run events (docs/events.md). Readers ignore unknown fields. */

const position = z.object({
  /** Finished iterations, finished epochs of this iteration, finished steps of this epoch. */
  iteration: z.number().int().nonnegative(),
  epoch: z.number().int().nonnegative(),
  step: z.number().int().nonnegative(),
  /** Optimiser steps since the start of the run. */
  globalStep: z.number().int().nonnegative(),
  phase: z.enum(['train', 'evaluate']),
});

const envelope = {
  run: z.string(),
  term: z.number().int().positive(),
  /** Starts at 1 in each term, without gaps. */
  sequence: z.number().int().positive(),
  /** ISO 8601, UTC. */
  time: z.iso.datetime(),
  position,
};

const worker = { worker: z.string() };

const bodies = {
  'run.started': {},
  'run.resumed': {},
  'run.paused': {},
  'run.continued': {},
  'run.finished': { mAP: z.number().nullable(), weightsSha256: z.string(), codesSha256: z.string() },
  'run.interrupted': { checkpoint: z.string().nullable() },
  'run.failed': { code: z.string(), reason: z.string() },
  'iteration.finished': {
    iteration: z.number().int().positive(),
    /** Mean over the iteration's steps, by loss term. */
    losses: z.record(z.string(), z.number()),
    flippedBits: z.number().int().nonnegative(),
    seconds: z.number(),
  },
  'iteration.evaluated': {
    iteration: z.number().int().positive(),
    mAP: z.number(),
    tieAveragedMAP: z.number(),
    queries: z.number().int(),
  },
  'checkpoint.written': { checkpoint: z.string(), bytes: z.number().int(), seconds: z.number() },
  'worker.joined': worker,
  'worker.left': { ...worker, reason: z.string() },
  'worker.refused': { ...worker, code: z.string(), reason: z.string() },
  'worker.set-aside': { ...worker, reason: z.string() },
  'worker.unreachable': { ...worker, reason: z.string() },
  'peer.unreachable': { ...worker, peer: z.string(), reason: z.string() },
} as const;
type Bodies = typeof bodies;
export type RunEventType = keyof Bodies;
const runEventTypes = Object.keys(bodies) as RunEventType[];

/** What happened, without the run, term, sequence and time. */
export type RunEventBody = {
  [Type in RunEventType]: { readonly type: Type } & {
    -readonly [Field in keyof Bodies[Type]]: z.output<Extract<Bodies[Type][Field], z.ZodType>>;
  };
}[RunEventType];

/** One event of a run. Its identity is (run, term, sequence). */
export type RunEvent = z.output<z.ZodObject<typeof envelope>> & RunEventBody;

const schemas = Object.fromEntries(
  runEventTypes.map((type) => [type, z.object({ ...envelope, ...bodies[type], type: z.literal(type) })]),
) as unknown as Record<string, z.ZodType<RunEvent>>;
const typed = z.object({ type: z.enum(runEventTypes) });

/** Reads one event from JSON; null when it is not a run event. */
export function parseRunEvent(text: string): RunEvent | null {
  try {
    const json: unknown = JSON.parse(text);
    return schemas[typed.parse(json).type]!.parse(json);
  } catch {
    return null;
  }
}

/** Negative, zero or positive when `left` comes before, equals, or comes after `right`. */
export function compareEvents(
  left: Pick<RunEvent, 'term' | 'sequence'>,
  right: Pick<RunEvent, 'term' | 'sequence'>,
): number {
  return left.term - right.term || left.sequence - right.sequence;
}

/**
 * Filters events in the order in which they were written. Drops events that a coordinator wrote after a higher term
 * began, and counts an event that was written twice once.
 */
export function eventsThatCount(events: Iterable<RunEvent>): RunEvent[] {
  const counted: RunEvent[] = [];
  for (const event of events) {
    const last = counted.at(-1);
    if (last === undefined || compareEvents(event, last) > 0) counted.push(event);
  }
  return counted;
}
