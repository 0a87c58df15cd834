import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Cell, directoryOf } from '../../src/experiments/cell.js';
import { stateOf, withOneDataset } from '../../src/experiments/cell-state.js';
import { RunDirectory } from '../../src/run/run-directory.js';
import { plan, resolve, resultOf, writeFinished } from './support.js';

let output: string;
let cells: readonly Cell[];
beforeEach(() => {
  output = mkdtempSync(join(tmpdir(), 'fcaenet-cells-'));
  cells = plan({ output, bits: [12], seedCount: 1 }).cells;
});
afterEach(() => rmSync(output, { recursive: true }));

const other = (cell: Cell, ...settings: string[]): Cell => ({
  ...cell,
  run: resolve([
    ...['spec.bits=12', `metadata.name=${cell.name}`, `spec.operation.runsDirectory=${join(output, 'runs')}`],
    ...settings,
  ]),
});

test('no directory, a run without result, and a result', () => {
  const [cell] = cells as [Cell];
  expect(stateOf(cell)).toEqual({ kind: 'absent' });
  writeFinished(cell);
  expect(stateOf(cell)).toMatchObject({ kind: 'finished', result: { mAP: 0.5 } });
  rmSync(RunDirectory.at(directoryOf(cell)).resultFile);
  expect(stateOf(cell)).toEqual({ kind: 'begun' });
});

test('a run with other training settings does not count, and the sentence names them', () => {
  const [cell] = cells as [Cell];
  writeFinished(other(cell, 'spec.schedule.epochs=7'));
  expect(stateOf(cell)).toEqual({
    kind: 'failed',
    sentence: `${directoryOf(cell)} contains a run with other settings than are asked for: spec.schedule.epochs (7, now 4); choose another folder with --output`,
  });
});

test('operational settings may differ, the paths of weights and dataset may not', () => {
  const [cell] = cells as [Cell];
  writeFinished(other(cell, 'spec.operation.workers=7'));
  expect(stateOf(cell)).toMatchObject({ kind: 'finished' });
  writeFinished(other(cell, 'spec.model.weights=a'));
  expect(stateOf(other(cell, 'spec.model.weights=a'))).toMatchObject({ kind: 'finished' });
  expect(stateOf(other(cell, 'spec.model.weights=b'))).toMatchObject({
    kind: 'failed',
    sentence: expect.stringContaining('spec.model.weights ("a", now "b")'),
  });
  expect(stateOf(other(cell, 'spec.model.weights=a', 'spec.dataset.path=elsewhere'))).toMatchObject({
    kind: 'failed',
    sentence: expect.stringContaining('spec.dataset.path ("data", now "elsewhere")'),
  });
});

test.each([
  ['no JSON', '{', 'is damaged'],
  ['no mAP', { mAP: null }, 'its field mAP is null (Invalid'],
  ['steps that are no number', { steps: 'x' }, 'its field steps is "x" (Invalid'],
])('a result with %s is a sentence, not a figure', (_, change, sentence) => {
  const [cell] = cells as [Cell];
  writeFinished(cell, typeof change === 'string' ? {} : resultOf(cell, 0.5, change));
  if (typeof change === 'string') writeFileSync(RunDirectory.at(directoryOf(cell)).resultFile, change);
  expect(stateOf(cell)).toMatchObject({ kind: 'failed', sentence: expect.stringContaining(sentence) });
});

test('a result of other images than the first does not count', () => {
  const [first, second] = cells as [Cell, Cell];
  const dataset = { ...resultOf(second, 0.5).dataset, fingerprint: 'f'.repeat(64) };
  const states = withOneDataset(
    new Map([
      [first, { kind: 'finished', result: resultOf(first, 0.5) }],
      [second, { kind: 'finished', result: resultOf(second, 0.5, { dataset }) }],
    ]),
  );
  expect(states.get(first)).toMatchObject({ kind: 'finished' });
  expect(states.get(second)).toMatchObject({
    kind: 'failed',
    sentence: expect.stringContaining(
      `read other images than ${directoryOf(first)}: fingerprint ffffffffffff…`,
    ),
  });
});
