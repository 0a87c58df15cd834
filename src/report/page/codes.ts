import { barChart } from '../drawing/bar-chart.js';
import { heatMap } from '../drawing/heat-map.js';
import { lineChart } from '../drawing/line-chart.js';
import type { Markup } from '../drawing/markup.js';
import type { MeasuredRun } from '../reading/measured-run.js';
import { figure, figures, paragraph, percent, type Section } from './parts.js';

/** How the codes use their bits, and how far they are apart. */
export function codesSection(runs: readonly MeasuredRun[]): Section {
  return {
    id: 'codes',
    title: 'Codes',
    content: runs.flatMap((run) => {
      const { statistics, pictures, name } = run;
      const of = runs.length > 1 ? ` of ${name}` : '';
      return [
        paragraph(
          `The ${pictures.train.paths.length} images of the database${of} have ${statistics.distinct} different codes of ${run.trained.spec.bits} bits.`,
        ),
        figures([distances(run, of), balance(run, of), correlation(run, of)]),
      ];
    }),
  };
}

function distances({ curves, name }: MeasuredRun, of: string): Markup {
  const shares = (pairs: Float64Array) => {
    const total = pairs.reduce((sum, count) => sum + count, 0);
    return [...pairs].map((count, distance) => [distance, total === 0 ? 0 : count / total] as const);
  };
  const lines = [curves.sameClassPairs, curves.otherClassPairs].map((pairs, style) => ({
    style,
    filled: true,
    points: shares(pairs),
  }));
  const means = lines.map(({ points }) => points.reduce((sum, [distance, part]) => sum + distance * part, 0));
  const bits = curves.sameClassPairs.length - 1;
  return figure(
    `Distances${of}`,
    lineChart(
      `Shares of pairs of query and database image by Hamming distance for ${name}: pairs of one class have a mean distance of ${means[0]!.toFixed(1)} bits, pairs of different classes ${means[1]!.toFixed(1)}.`,
      { label: 'different bits', domain: [0, bits], exact: true, whole: true },
      {
        label: 'share of pairs',
        domain: [0, Math.max(...lines.flatMap(({ points }) => points.map(([, part]) => part)))],
      },
      lines,
    ),
    `Mean distance ${means[0]!.toFixed(1)} bits in one class, ${means[1]!.toFixed(1)} between classes. The less the two areas overlap, the better the codes tell classes apart.`,
    {
      legend: [
        { name: 'same class', style: 0 },
        { name: 'different classes', style: 1 },
      ],
    },
  );
}

function balance({ statistics }: MeasuredRun, of: string): Markup {
  const values = [...statistics.balance];
  const worst = values.reduce(
    (most, value) => (Math.abs(value - 0.5) > Math.abs(most - 0.5) ? value : most),
    0.5,
  );
  return figure(
    `Balance of the bits${of}`,
    barChart(
      `Bars of the share of database codes in which each bit is 1; the furthest from a half is ${percent(worst)}.`,
      'bit',
      { label: 'share of ones', domain: [0, 1], exact: true },
      values,
      0.5,
    ),
    `A bit tells most when it is 1 for half of the images (dotted). The bit that is furthest from that is 1 for ${percent(worst)} of them.`,
  );
}

function correlation({ statistics, trained }: MeasuredRun, of: string): Markup {
  const { bits } = trained.spec;
  const others = [...statistics.correlation].filter((_, index) => index % bits !== Math.floor(index / bits));
  const mean = others.reduce((sum, value) => sum + Math.abs(value), 0) / Math.max(1, others.length);
  const every = bits <= 16 ? 1 : 8;
  const marks = Array.from({ length: bits }, (_, bit) =>
    every === 1 || (bit + 1) % every === 0 ? String(bit + 1) : '',
  );
  return figure(
    `Correlation of the bits${of}`,
    heatMap(
      `Matrix of the correlation of each two of ${bits} bits; the mean strength of two different bits is ${mean.toFixed(2)}.`,
      [...statistics.correlation],
      marks,
    ),
    `Each field compares two bits: a blue one says that they are mostly equal, an orange one that they are mostly opposite, a faint one that they are independent. Independent bits carry more. Mean absolute correlation of two different bits: ${mean.toFixed(2)}.`,
  );
}
