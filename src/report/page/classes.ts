import type { ClassFigure } from '../../inspection/class-figures.js';
import { heatMap } from '../drawing/heat-map.js';
import { lineChart } from '../drawing/line-chart.js';
import { type Markup, markup } from '../drawing/markup.js';
import type { MeasuredRun } from '../reading/measured-run.js';
import { legend } from './learning.js';
import { figure, figures, notice, paragraph, percent, type Section, table } from './parts.js';

const listedClasses = 10;
const listedPairs = 12;
const mapClasses = 12;

/** Which classes are found well, and which are taken for one another. */
export function classesSection(runs: readonly MeasuredRun[]): Section {
  const lines = runs.map(({ classes }, style) => ({
    style,
    filled: runs.length === 1,
    points: classes.map(({ mAP }, index) => [index + 1, mAP] as const),
  }));
  const spread = runs.map(
    ({ name, classes }) => `${name} from ${classes[0]!.mAP.toFixed(2)} to ${classes.at(-1)!.mAP.toFixed(2)}`,
  );
  const most = Math.max(...runs.map(({ classes }) => classes.length));
  const sorted = figure(
    'Average precision by class',
    lineChart(
      `Lines of the average precision of each class, sorted: ${spread.join('; ')}.`,
      { label: 'classes, the worst first', domain: [1, Math.max(2, most)], exact: true, whole: true },
      { label: 'mAP of the class', domain: [0, 1], exact: true },
      lines,
    ),
    'Each point is the mean average precision of one class’s queries. A steep line says that some classes are much harder than others.',
    { legend: legend(runs) },
  );
  return {
    id: 'classes',
    title: 'Classes',
    content: [
      figures([sorted, ...runs.flatMap((run) => confusionMap(run, runs.length > 1))]),
      ...runs.flatMap((run) => tablesOf(run, runs.length > 1)),
    ],
  };
}

function tablesOf(run: MeasuredRun, isNamed: boolean): Markup[] {
  const { classes, name } = run;
  const of = isNamed ? ` of ${name}` : '';
  const best = [...classes].reverse().slice(0, listedClasses);
  const pairs = confusedPairs(run).slice(0, listedPairs);
  return [
    markup`<h3>Worst classes${of}</h3>`,
    classTable(classes.slice(0, listedClasses), `Worst classes${of}`),
    markup`<h3>Best classes${of}</h3>`,
    classTable(best, `Best classes${of}`),
    markup`<h3>Classes${of} that are taken for others</h3>`,
    ...(pairs.length === 0
      ? [notice('No image of another class is among the 10 nearest of any query.')]
      : [
          paragraph(
            'Of the 10 nearest images of all queries of the first class, the share that belongs to the second.',
          ),
          table(
            [{ title: 'queries of' }, { title: 'find' }, { title: 'share', isNumber: true }],
            pairs.map(([own, other, share]) => [own, other, percent(share, 1)]),
            `Confused classes${of}`,
          ),
        ]),
  ];
}

function classTable(classes: readonly ClassFigure[], name: string): Markup {
  const columns = [
    { title: 'class' },
    { title: 'queries', isNumber: true },
    { title: 'mAP', isNumber: true },
    { title: 'other classes among the 10 nearest' },
  ];
  const rows = classes.map((each) => [
    each.name,
    String(each.queries),
    each.mAP.toFixed(3),
    each.confusions.map((other) => `${other.name} ${percent(other.share)}`).join(', ') || '–',
  ]);
  return table(columns, rows, name);
}

/** Pairs of a class and another one that its queries find, the most frequent first. */
function confusedPairs({
  nearestClasses,
  pictures,
}: MeasuredRun): [own: string, other: string, share: number][] {
  return nearestClasses
    .flatMap((shares, own) =>
      shares.filter(({ label }) => label !== own).map(({ label, share }) => [own, label, share] as const),
    )
    .sort((left, right) => right[2] - left[2] || left[0] - right[0] || left[1] - right[1])
    .map(([own, other, share]) => [pictures.classNames[own]!, pictures.classNames[other]!, share]);
}

/** Shares among the classes of the most frequent confusions. */
function confusionMap(run: MeasuredRun, isNamed: boolean): Markup[] {
  const pairs = confusedPairs(run);
  const names: string[] = [];
  for (const [own, other] of pairs) {
    for (const name of [own, other]) {
      if (names.length < mapClasses && !names.includes(name)) names.push(name);
    }
  }
  if (names.length < 2) return [];
  const labels = names.map((name) => run.pictures.classNames.indexOf(name));
  const values = labels.flatMap((own) =>
    labels.map((other) => run.nearestClasses[own]!.find(({ label }) => label === other)?.share ?? 0),
  );
  const marks = names.map((_, index) => String(index + 1));
  const [first] = pairs as [(typeof pairs)[number]];
  return [
    figure(
      isNamed ? `Most confused classes of ${run.name}` : 'Most confused classes',
      heatMap(
        `Matrix of the ${names.length} most confused classes. The most frequent confusion: queries of ${first[0]} find ${first[1]} in ${percent(first[2])} of their nearest images.`,
        values,
        marks,
      ),
      `Row: class of the query. Column: class of its 10 nearest images; stronger is more. The diagonal is right.`,
      { key: names },
    ),
  ];
}
