import { lossesDiffer } from '../../live/words.js';
import { featureMethod } from '../../methods/methods.js';
import { lossTermsOf } from '../../model/loss.js';
import type { Axis } from '../drawing/frame.js';
import { type Line, lineChart } from '../drawing/line-chart.js';
import type { Markup } from '../drawing/markup.js';
import type { MeasuredRun } from '../reading/measured-run.js';
import { figure, figures, type LegendEntry, notice, paragraph, type Section } from './parts.js';

const meanings: Readonly<Record<string, string>> = {
  similarity: 'how far outputs are from the similarity of the images’ classes',
  quantisation: 'how far outputs are from −1 and 1',
  positive: 'how far an image’s output is from that of another image of its class',
  augmented: 'how far an image’s output is from that of its erased copy',
  spatial: 'how far local feature maps of an image lie on one another',
  channel: 'how far local features of an image have the same channels',
  alignment: 'how far local features of an image are from those of its class',
};

/** How mAP and losses changed while the runs trained. */
export function learningSection(runs: readonly MeasuredRun[]): Section {
  const learning = runs.filter(({ trained }) => featureMethod(trained.spec.method) === null);
  const others = runs.filter((run) => !learning.includes(run));
  const content: Markup[] = others.map(({ name, trained }) =>
    notice(
      `${name} has no learning curve: the method ${trained.spec.method} learns its codes at once, from features of the network, and trains no network.`,
    ),
  );
  if (learning.length > 0) {
    content.push(
      paragraph(
        `A step is one update of the weights. Losses are means over the steps of an iteration; mAP is measured after it.${
          methodsOf(learning).size > 1 ? ` ${lossesDiffer}` : ''
        }`,
      ),
      figures([
        precisionCurve(runs, learning),
        ...[...termsOf(learning)].flatMap((term) => lossCurve(runs, learning, term)),
      ]),
    );
  }
  return { id: 'learning', title: 'Learning curves', content };
}

function namesOf(runs: readonly MeasuredRun[]): string {
  return runs.map(({ name }) => name).join(' and ');
}

function methodsOf(runs: readonly MeasuredRun[]): Set<string> {
  return new Set(runs.map(({ trained }) => trained.spec.method));
}

/** Every term that the loss of one of the runs has. */
function termsOf(runs: readonly MeasuredRun[]): Set<string> {
  return new Set(runs.flatMap(({ trained }) => lossTermsOf(trained.spec.method)));
}

/** Optimiser steps of each iteration. */
function stepsPerIteration({ content: { run } }: MeasuredRun): number {
  const { dataset, schedule } = run.spec;
  return schedule.epochs * Math.ceil(dataset.sampleSize / schedule.batchSize);
}

function precisionCurve(runs: readonly MeasuredRun[], learning: readonly MeasuredRun[]): Markup {
  const lines = learning.map((run) => ({
    style: runs.indexOf(run),
    marked: true,
    points: run.content.evaluations.map(
      ({ iteration, mAP }) => [iteration * stepsPerIteration(run), mAP] as const,
    ),
  }));
  const ends = learning.map(({ name, content }) => {
    const [first, last] = [content.evaluations[0], content.evaluations.at(-1)];
    return first && last
      ? `${name} from ${first.mAP.toFixed(3)} to ${last.mAP.toFixed(3)}`
      : `${name} not evaluated`;
  });
  return figure(
    'Mean average precision',
    lineChart(
      `Lines of the mean average precision over the steps: ${ends.join('; ')}.`,
      stepAxis(lines),
      { label: 'mAP', domain: [0, highest(lines)] },
      lines,
    ),
    'Higher is better. A line that still rises at its end says that more iterations may help.',
    { legend: legend(runs, learning) },
  );
}

function lossCurve(runs: readonly MeasuredRun[], learning: readonly MeasuredRun[], term: string): Markup[] {
  // A method without the term records zeros.
  const having = learning.filter(({ content }) => content.iterations.some(({ losses }) => losses[term]));
  if (having.length === 0) return [];
  const lines = having.map((run) => ({
    style: runs.indexOf(run),
    marked: true,
    points: run.content.iterations.flatMap(({ iteration, losses }) =>
      losses[term] === undefined ? [] : [[iteration * stepsPerIteration(run), losses[term]] as const],
    ),
  }));
  const ends = lines.map(
    ({ points }, index) =>
      `${having[index]!.name} from ${points[0]?.[1].toPrecision(3) ?? '–'} to ${points.at(-1)?.[1].toPrecision(3) ?? '–'}`,
  );
  return [
    figure(
      `Loss: ${term}`,
      lineChart(
        `Lines of the ${term} loss over the steps: ${ends.join('; ')}.`,
        stepAxis(lines),
        { label: 'mean loss', domain: [0, highest(lines)] },
        lines,
      ),
      `The term says ${meanings[term]}. Lower is better.${having.length < learning.length ? ` The term is of ${namesOf(having)} alone.` : ''}`,
      { legend: legend(runs, having) },
    ),
  ];
}

function stepAxis(lines: readonly Line[]): Axis {
  const last = Math.max(1, ...lines.flatMap(({ points }) => points.map(([step]) => step)));
  return { label: 'step', domain: [0, last], whole: true };
}

function highest(lines: readonly Line[]): number {
  return Math.max(1e-6, ...lines.flatMap(({ points }) => points.map(([, value]) => value)));
}

/** Names of the runs that a chart shows, with their styles among all runs. */
export function legend(runs: readonly MeasuredRun[], shown: readonly MeasuredRun[] = runs): LegendEntry[] {
  return shown.map((run) => ({ name: run.name, style: runs.indexOf(run) }));
}
