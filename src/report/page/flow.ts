import { readableDuration } from '../../console/progress.js';
import { lineChart } from '../drawing/line-chart.js';
import { type Markup, markup } from '../drawing/markup.js';
import type { MeasuredRun } from '../reading/measured-run.js';
import type { Happening, RunFlow } from '../reading/run-flow.js';
import { figure, figures, notice, paragraph, type Section, table } from './parts.js';

/** Rows of the table: the first and the last of many. */
const mostRows = 60;

/** What happened to the runs: workers, coordinators, faults. */
export function flowSection(runs: readonly MeasuredRun[]): Section {
  return {
    id: 'events',
    title: runs.length === 1 ? 'What happened to the run' : 'What happened to the runs',
    content: runs.flatMap(({ name, flow }) => [
      ...(runs.length > 1 ? [markup`<h3>${name}</h3>`] : []),
      ...(flow === null
        ? [notice(`The directory of ${name} has no events, so nothing is known of its workers.`)]
        : flowOf(name, flow)),
    ]),
  };
}

function flowOf(name: string, flow: RunFlow): Markup[] {
  const { happenings, workers, seconds, terms, checkpoints, begun } = flow;
  const faults = happenings.filter(({ isFault }) => isFault);
  const coordinators =
    terms === 1 ? 'One coordinator led it' : `${terms} coordinators led it, one after another`;
  const trouble = `Faults: ${faults.length === 0 ? 'none' : faults.length}.`;
  const inMinutes = seconds >= 120;
  const unit = inMinutes ? 60 : 1;
  const most = Math.max(...workers.map(([, count]) => count));
  return [
    paragraph(
      `The run began at ${begun.slice(0, 16).replace('T', ' ')} UTC and was last heard of ${readableDuration(seconds)} later. ${coordinators}, and ${checkpoints === 1 ? 'one checkpoint was' : `${checkpoints} checkpoints were`} written. ${trouble}`,
    ),
    figures([
      figure(
        'Workers',
        lineChart(
          `Line of the number of workers over time, at most ${most}. Faults that are marked: ${faults.length}.`,
          { label: inMinutes ? 'minutes' : 'seconds', domain: [0, Math.max(1, seconds / unit)], exact: true },
          { label: 'workers', domain: [0, Math.max(1, most)], whole: true },
          [
            {
              style: 0,
              filled: true,
              stepped: true,
              points: workers.map(([at, count]) => [at / unit, count] as const),
            },
          ],
          faults.map((fault) => ({ x: fault.seconds / unit })),
        ),
        'Workers that were members of the run. Dotted lines mark faults: interruptions, failures, workers that were refused or set aside. The result does not depend on them.',
      ),
    ]),
    ...tableOf(name, happenings),
  ];
}

function tableOf(name: string, happenings: readonly Happening[]): Markup[] {
  const left = happenings.length - mostRows;
  const shown =
    left > 0 ? [...happenings.slice(0, mostRows / 2), ...happenings.slice(-mostRows / 2)] : happenings;
  return [
    ...(left > 0
      ? [
          paragraph(
            `The first and the last ${mostRows / 2} of ${happenings.length} events; events.jsonl has all.`,
          ),
        ]
      : []),
    table(
      [{ title: 'after', isNumber: true }, { title: 'term', isNumber: true }, { title: 'what' }],
      shown.map(({ seconds, term, sentence, isFault }) => [
        readableDuration(seconds),
        String(term),
        { text: sentence, isFault },
      ]),
      `Events of ${name}`,
    ),
  ];
}
