import * as z from 'zod';
import { formatTable } from '../console/table.js';

/** The displayed part of a status; see `RunStatus`. */
const statusSchema = z.object({
  run: z.string(),
  term: z.number(),
  state: z.string(),
  position: z.object({
    iteration: z.number(),
    epoch: z.number(),
    step: z.number(),
    globalStep: z.number(),
    phase: z.enum(['train', 'evaluate']),
  }),
  schedule: z.object({ iterations: z.number(), epochs: z.number(), stepsPerEpoch: z.number() }),
  workers: z.array(z.object({ slot: z.number(), name: z.string(), state: z.string(), devices: z.number() })),
  mAP: z.number().nullable(),
  checkpoint: z.object({ name: z.string(), ageSeconds: z.number() }).nullable(),
});
type Status = z.output<typeof statusSchema>;

/** Formats a coordinator's answer for people: a status as tables, any other answer with one line per field. */
export function describeReply(fields: Readonly<Record<string, unknown>>): string {
  const status = statusSchema.safeParse(fields);
  if (status.success) return statusTables(status.data);
  return lines(
    Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]),
  );
}

function statusTables(status: Status): string {
  const { run, term, state, workers, mAP, checkpoint } = status;
  const summary = lines([
    ['run', run],
    ['state', `${state}, under coordinator ${term}`],
    ['position', positionOf(status)],
    ['mAP', mAP?.toFixed(4) ?? 'not evaluated yet'],
    [
      'checkpoint',
      checkpoint
        ? `${checkpoint.name}, ${Math.round(checkpoint.ageSeconds)} s old`
        : 'none by this coordinator',
    ],
  ]);
  if (workers.length === 0) return `${summary}workers     none\n`;
  const columns = ['slot', 'devices', 'worker', 'state'].map((title) => ({
    title,
    isNumber: title === 'slot' || title === 'devices',
  }));
  const rows = workers.map(({ slot, devices, name, state: its }) => [
    String(slot),
    String(devices),
    name,
    its,
  ]);
  return `${summary}\n${formatTable(columns, rows)}`;
}

/** The run's position, counted from 1. `position` itself counts what is finished. */
function positionOf({ position, schedule }: Status): string {
  const { iterations, epochs, stepsPerEpoch } = schedule;
  const { iteration, epoch, step, globalStep, phase } = position;
  const done = `${globalStep} of ${iterations * epochs * stepsPerEpoch} steps are done`;
  if (iteration === iterations) return done;
  const training =
    epochs === 0 ? 'its codes' : `epoch ${epoch + 1} of ${epochs}, step ${step + 1} of ${stepsPerEpoch}`;
  const within = phase === 'evaluate' ? 'its evaluation' : training;
  return `iteration ${iteration + 1} of ${iterations}, ${within}; ${done}`;
}

function lines(pairs: readonly (readonly [string, string])[]): string {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join('');
}
