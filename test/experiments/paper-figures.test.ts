import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  figureOfTable1,
  figureOfTable2,
  figureOfTable3,
  figureOfTable4,
  paperBits,
  paperMethods,
} from '../../src/experiments/paper-figures.js';
import type { DatasetKind } from '../../src/run/training-run.js';

const paper = '../shared/paper.txt';
const isMissing = !existsSync(paper);

describe.skipIf(isMissing)(
  `the figures of the paper${isMissing ? ' (skipped: there is no ../shared/paper.txt)' : ''}`,
  () => {
    const rows = isMissing
      ? []
      : readFileSync(paper, 'utf8')
          .split('\n')
          .filter((line) => line.startsWith('|'))
          .map((line) =>
            line
              .split('|')
              .map((cell) => cell.trim())
              .slice(1, -1),
          );
    const value = (cell: string) =>
      cell === '-' ? null : Number((Number(cell.replace('%', '')) / 100).toFixed(6));
    const own = (figure: number | null) => figure && Number(figure.toFixed(6));

    test('Table 1', () => {
      const names: Readonly<Record<string, DatasetKind>> = {
        CUB2011: 'cub',
        Aircraft: 'aircraft',
        NABirds: 'nabirds',
        VegFru: 'vegfru',
        Food101: 'food101',
      };
      const start = rows.findIndex(([first]) => first === 'Method');
      let dataset: DatasetKind = 'cub';
      // Rows of the second length on lack the dataset's name.
      for (const row of rows.slice(start + 2, start + 22)) {
        dataset = names[row[0]!] ?? dataset;
        const cells = row.slice(row[0]! in names ? 2 : 1);
        const bits = Number.parseInt(row[row[0]! in names ? 1 : 0]!, 10);
        const figures = Object.keys(paperMethods).map((method) => own(figureOfTable1(method, bits, dataset)));
        expect({ dataset, bits, figures }).toEqual({
          dataset,
          bits,
          figures: cells.slice(0, figures.length).map(value),
        });
      }
    });

    test.each([
      ['Baseline', 'baseline'],
      ['Baseline + SREM', 'srem'],
      ['Baseline + ESRL', 'esrl'],
      ['FCAENet', 'fcaenet'],
    ])('Table 2: %s', (title, method) => {
      const row = rows.find(([first, ...cells]) => first === title && cells.length === 4)!;
      expect(paperBits.map((bits) => own(figureOfTable2(method, bits, 'food101')))).toEqual(
        row.slice(1).map(value),
      );
    });

    test.each([
      ['Number', 'regions', figureOfTable3],
      ['Size', 'size', figureOfTable4],
    ] as const)('%s', (title, variant, figure) => {
      const start = rows.findIndex(([first]) => first === title);
      const figures = rows[start]!.slice(1).map((count) => own(figure(`${variant}${count}`, 24, 'food101')));
      expect(figures).toEqual(rows[start + 2]!.slice(1).map(value));
    });
  },
);

test('there is no figure for what the paper does not have', () => {
  expect(figureOfTable1('fcaenet', 12, 'cub')).toBeCloseTo(0.3476, 10);
  expect(figureOfTable1('fph', 12, 'cub')).toBeNull();
  expect(figureOfTable1('fcaenet', 16, 'cub')).toBeNull();
  expect(figureOfTable1('srem', 12, 'cub')).toBeNull();
  expect(figureOfTable2('srem', 12, 'cub')).toBeNull();
  expect(figureOfTable3('regions50', 12, 'food101')).toBeNull();
  expect(figureOfTable3('regions20', 24, 'food101')).toBeNull();
});
