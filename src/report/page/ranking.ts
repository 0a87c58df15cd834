import { recallLevels } from '../../retrieval/curves.js';
import { lineChart } from '../drawing/line-chart.js';
import type { MeasuredRun } from '../reading/measured-run.js';
import { legend } from './learning.js';
import { figure, figures, percent, type Section } from './parts.js';

const share = { domain: [0, 1], exact: true } as const;

/** Precision by recall and by rank. */
export function rankingSection(runs: readonly MeasuredRun[]): Section {
  const byRecall = runs.map(({ curves }, style) => ({
    style,
    points: [...curves.precisionAtRecall].map(
      (precision, at) => [(at + 1) / recallLevels, precision] as const,
    ),
  }));
  const byRank = runs.map(({ curves }, style) => ({
    style,
    points: curves.ranks.map((rank, at) => [rank, curves.precisionAtRank[at]!] as const),
  }));
  const half = runs.map(
    ({ name, curves }) => `${name} ${percent(curves.precisionAtRecall[recallLevels / 2 - 1]!)}`,
  );
  const tenth = runs.map(({ name, curves }) => {
    const at = curves.ranks.findLastIndex((rank) => rank <= 10);
    return `${name} ${percent(curves.precisionAtRank[at]!)}`;
  });
  const mostRanks = Math.max(...runs.map(({ curves }) => curves.ranks.at(-1)!));
  return {
    id: 'ranking',
    title: 'Precision of the ranking',
    content: [
      figures([
        figure(
          'Precision and recall',
          lineChart(
            `Lines of precision over recall. At a recall of 50 % the precision is: ${half.join(', ')}.`,
            { label: 'recall', ...share },
            { label: 'precision', ...share },
            byRecall,
          ),
          'Recall is the share of a class that a ranking has reached; precision is the share of right images up to there. Means over all queries; a line near the top is better.',
          { legend: legend(runs) },
        ),
        figure(
          'Precision of the first k',
          lineChart(
            `Lines of precision over the number of first results. Among the first ten it is: ${tenth.join(', ')}.`,
            { label: 'first k results (logarithmic)', domain: [1, mostRanks], logarithmic: true },
            { label: 'precision', ...share },
            byRank,
          ),
          'Share of right images among the first k of the ranking, mean over all queries. It falls at the latest when k exceeds the size of a class.',
          { legend: legend(runs) },
        ),
      ]),
    ],
  };
}
