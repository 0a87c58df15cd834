import type { Colour } from '../console/colour.js';
import { formatTable } from '../console/table.js';
import { printable } from '../errors.js';
import type { RunView, ViewState } from './view.js';
import {
  shareDone,
  totalSteps,
  wordsOfNumber,
  wordsOfPosition,
  wordsOfPrecision,
  wordsOfSeconds,
  wordsOfSettings,
  wordsOfState,
} from './words.js';

/** One line of a terminal, not longer than it is wide. */
export interface ScreenLine {
  readonly text: string;
  readonly colour?: Colour;
}

export interface Surroundings {
  readonly columns: number;
  readonly rows: number;
  /** Unix time in milliseconds. */
  readonly nowMs: number;
  /** Since when no coordinator answers; null while one does. */
  readonly goneSinceMs: number | null;
}

/** What `fcaenet watch` shows of a run, in as many lines as there are rows at most. */
export function watchLines(view: RunView, surroundings: Surroundings): ScreenLine[] {
  const { columns, rows } = surroundings;
  const lines: ScreenLine[] = [...headOf(view, surroundings)];
  const left = rows - lines.length - 1;
  const [title, ...workers] = workerLines(view, surroundings.nowMs);
  // A heading, the table's head and an empty line; then the same for events.
  const shownWorkers = Math.max(1, Math.min(workers.length, Math.floor((left - 4) / 2)));
  const more = workers.length - shownWorkers;
  lines.push({ text: '' }, { text: title!, colour: 'dim' });
  lines.push(...workers.slice(0, shownWorkers).map((text) => ({ text })));
  if (more > 0) lines.push({ text: `and ${more} more`, colour: 'dim' });
  lines.push({ text: '' }, { text: 'events, the newest first', colour: 'dim' });
  const newestFirst = [...view.events].reverse();
  lines.push(...newestFirst.map(({ time, text }) => ({ text: `${time.slice(11, 19)}  ${text}` })));
  const fitting = lines.slice(0, Math.max(1, rows - 1));
  return [...fitting, { text: 'q ends this view, not the run', colour: 'dim' } as const]
    .slice(0, rows)
    .map(({ text, ...line }) => ({ ...line, text: cut(printable(text), columns - 1) }));
}

function headOf(view: RunView, { columns, nowMs, goneSinceMs }: Surroundings): ScreenLine[] {
  const { run, state, reason, waitsFor, activity, secondsLeft, imagesPerSecond, mAP, bestMAP, position } =
    view;
  const steps = totalSteps(view);
  const figures = [
    `${Math.floor(100 * shareDone(view))} %`,
    ...(steps > 0 ? [`${position.globalStep} of ${steps} steps`] : []),
    ...(secondsLeft === null ? [] : [`${wordsOfSeconds(secondsLeft)} left`]),
    ...(imagesPerSecond === null ? [] : [`${wordsOfNumber(imagesPerSecond, 3)} images/s`]),
  ].join('   ');
  const barWidth = Math.max(8, Math.min(40, columns - 4 - figures.length));
  const full = Math.floor(barWidth * shareDone(view));
  const sums = lossSums(view);
  const curve = sparkline(sums, Math.max(8, columns - 24));
  const precisions = view.iterationsDone.flatMap((each) => (each.mAP === null ? [] : [each.mAP]));
  return [
    { text: `${run}   ${wordsOfState(state)}   ${wordsOfPosition(view)}`, colour: colourOf(state) },
    { text: wordsOfSettings(view), colour: 'dim' },
    { text: `${'█'.repeat(full)}${'░'.repeat(barWidth - full)}   ${figures}`, colour: 'cyan' },
    ...(goneSinceMs === null
      ? []
      : [
          {
            text: `the coordinator has been gone for ${wordsOfSeconds((nowMs - goneSinceMs) / 1000)}; this is its last state`,
            colour: 'red' as const,
          },
        ]),
    ...(reason === null ? [] : [{ text: reason, colour: 'red' as const }]),
    ...(waitsFor === null ? [] : [{ text: `the run waits ${waitsFor}`, colour: 'yellow' as const }]),
    ...(activity === null
      ? []
      : [{ text: `${activity.what}: ${activity.done} of ${activity.total} images` }]),
    {
      text: `mAP   ${wordsOfPrecision(mAP)}, best ${wordsOfPrecision(bestMAP)}   ${sparkline(precisions, Math.max(8, columns - 34))}`,
    },
    { text: `loss  ${wordsOfNumber(sums.at(-1) ?? null)}   ${curve}` },
  ];
}

/** The sum of the terms, at each point of the curve, or else after each iteration. */
function lossSums({ losses, iterationsDone }: RunView): number[] {
  const terms = Object.values(losses.terms);
  if (losses.steps.length > 0) {
    return losses.steps.map((_, at) => terms.reduce((sum, values) => sum + (values[at] ?? 0), 0));
  }
  return iterationsDone
    .map((each) => Object.values(each.losses))
    .filter((values) => values.length > 0)
    .map((values) => values.reduce((sum, value) => sum + value, 0));
}

/** The head of the table, then a line for each worker. */
function workerLines({ workers }: RunView, nowMs: number): string[] {
  if (workers.length === 0) return ['no worker is there'];
  const numbers = ['slot', 'images/s', 'answer', 'last message'];
  const columns = ['slot', 'worker', 'state', 'images/s', 'answer', 'last message', 'device'].map(
    (title) => ({
      title,
      isNumber: numbers.includes(title),
    }),
  );
  const rows = workers.map(
    ({ slot, name, state, overdue, imagesPerSecond, answerSeconds, lastHeardMs, device }) => [
      String(slot),
      name,
      overdue > 0 ? `${state}, late` : state,
      wordsOfNumber(imagesPerSecond, 3),
      answerSeconds === null ? '–' : `${wordsOfNumber(answerSeconds, 2)} s`,
      `${wordsOfSeconds((nowMs - lastHeardMs) / 1000)} ago`,
      device ?? '–',
    ],
  );
  return formatTable(columns, rows).trimEnd().split('\n');
}

const blocks = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/** A curve in one line, each sign the mean of as many values, from the least to the greatest. */
export function sparkline(values: readonly number[], width: number): string {
  const finite = values.filter(Number.isFinite);
  const perSign = Math.max(1, Math.ceil(finite.length / width));
  const means: number[] = [];
  for (let at = 0; at < finite.length; at += perSign) {
    const part = finite.slice(at, at + perSign);
    means.push(part.reduce((sum, value) => sum + value, 0) / part.length);
  }
  const [least, greatest] = [Math.min(...means), Math.max(...means)];
  const range = greatest - least || 1;
  return means.map((mean) => blocks[Math.min(7, Math.floor((8 * (mean - least)) / range))]).join('');
}

function colourOf(state: ViewState): Colour {
  return state === 'failed'
    ? 'red'
    : /^(training|evaluating|preparing|finished)$/.test(state)
      ? 'bold'
      : 'yellow';
}

function cut(text: string, most: number): string {
  const letters = [...text];
  return letters.length <= most ? text : `${letters.slice(0, Math.max(0, most - 1)).join('')}…`;
}
