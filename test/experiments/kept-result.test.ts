import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Cell, directoryOf } from '../../src/experiments/cell.js';
import { stateOf } from '../../src/experiments/cell-state.js';
import { hasItsDigest, textWithDigest } from '../../src/experiments/document-digest.js';
import { keepResult, keptFileOf } from '../../src/experiments/kept-result.js';
import { trainingSettings } from '../../src/run/training-hash.js';
import { plan, resolve, resultOf, writeFinished } from './support.js';

let output: string;
let cell: Cell;
beforeEach(() => {
  output = mkdtempSync(join(tmpdir(), 'fcaenet-kept-'));
  cell = plan({ output, bits: [12], seedCount: 1 }).cells[0]!;
});
afterEach(() => rmSync(output, { recursive: true }));

const kept = () => JSON.parse(readFileSync(keptFileOf(cell), 'utf8'));
/** Keeps it as a program with these changes would have. */
const keepChanged = (changes: object) => {
  const { sha256: _, ...document } = kept();
  writeFileSync(keptFileOf(cell), textWithDigest({ ...document, ...changes }));
};
const withSettings = (...settings: string[]): Cell => ({
  ...cell,
  run: resolve([
    ...['spec.bits=12', `metadata.name=${cell.name}`, `spec.operation.runsDirectory=${join(output, 'runs')}`],
    ...settings,
  ]),
});

test('a kept result has the settings of its run and no path', () => {
  keepResult(cell, resultOf(cell, 0.5));
  expect(keptFileOf(cell)).toBe(join(output, 'results', `${cell.name}.json`));
  const { path: _, ...dataset } = resultOf(cell, 0.5).dataset;
  expect(kept()).toEqual({
    kind: 'fcaenet result',
    settings: trainingSettings(cell.run),
    result: { ...resultOf(cell, 0.5), dataset },
    sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
});

test('a cell whose run directory is gone has the result that was kept, wherever data and weights lie', () => {
  keepResult(withSettings('spec.model.weights=here'), resultOf(cell, 0.5));
  const elsewhere = withSettings('spec.dataset.path=elsewhere', 'spec.model.weights=there');
  expect(stateOf(elsewhere)).toMatchObject({
    kind: 'finished',
    result: { mAP: 0.5, dataset: { path: 'elsewhere' } },
  });
});

test('a run directory with a result counts before a kept one, which stays', () => {
  keepResult(cell, resultOf(cell, 0.5));
  writeFinished(cell, resultOf(cell, 0.6));
  keepResult(cell, resultOf(cell, 0.6));
  expect(stateOf(cell)).toMatchObject({ kind: 'finished', result: { mAP: 0.6 } });
  rmSync(directoryOf(cell), { recursive: true });
  expect(stateOf(cell)).toMatchObject({ kind: 'finished', result: { mAP: 0.5 } });
});

test('a kept result of other settings does not count, and the sentence names them (EXPERIMENT_RESULT_OTHER)', () => {
  keepResult(withSettings('spec.schedule.epochs=7'), resultOf(cell, 0.5));
  expect(stateOf(cell)).toEqual({
    kind: 'failed',
    sentence: `${keptFileOf(cell)} is of a run with other settings than the table asks for: spec.schedule.epochs (7, now 4); choose another folder with --output, or delete the file, and the table runs it again`,
  });
});

test('a result that was kept before a setting came counts where the setting is as it was', () => {
  keepResult(cell, resultOf(cell, 0.5));
  const { 'spec.firstCodes': _, ...settings } = kept().settings;
  keepChanged({ settings });
  expect(stateOf(cell)).toMatchObject({ kind: 'finished' });
  expect(stateOf(withSettings('spec.firstCodes=class-means'))).toMatchObject({
    kind: 'failed',
    sentence: expect.stringContaining('spec.firstCodes ("published", now "class-means")'),
  });
});

test.each([
  ['no JSON', '{', 'is damaged or was changed: it must be a result as fcaenet table keeps it'],
  ['another document', '{"kind":"fcaenet search"}', 'is damaged or was changed'],
])('%s is a sentence, not a figure (EXPERIMENT_RESULT_DAMAGED)', (_, text, sentence) => {
  mkdirSync(dirname(keptFileOf(cell)));
  writeFileSync(keptFileOf(cell), text);
  expect(stateOf(cell)).toMatchObject({ kind: 'failed', sentence: expect.stringContaining(sentence) });
});

test.each([
  ['a figure that was edited', (text: string) => text.replace('"mAP": 0.5', '"mAP": 0.9')],
  ['a setting that was edited', (text: string) => text.replace(/"spec.seed": \d+/, '"spec.seed": 77')],
  ['a field that was removed', (text: string) => text.replace(/ {4}"steps": \d+,\n/, '')],
  ['no digest', (text: string) => text.replace(/,\s*"sha256": "[0-9a-f]{64}"/, '')],
])('a kept result with %s does not count (EXPERIMENT_RESULT_DAMAGED)', (_, edit) => {
  keepResult(cell, resultOf(cell, 0.5));
  const text = readFileSync(keptFileOf(cell), 'utf8');
  writeFileSync(keptFileOf(cell), edit(text));
  expect(readFileSync(keptFileOf(cell), 'utf8')).not.toBe(text);
  expect(stateOf(cell)).toEqual({
    kind: 'failed',
    sentence: `${keptFileOf(cell)} is damaged or was changed: it must be a result as fcaenet table keeps it; delete the file, and the table runs it again`,
  });
});

test.each([
  ['another line end of an editor', (text: string) => text.replaceAll('\n', '\r\n')],
  ['other spaces', (text: string) => JSON.stringify(JSON.parse(text))],
])('a kept result with %s counts', (_, edit) => {
  keepResult(cell, resultOf(cell, 0.5));
  writeFileSync(keptFileOf(cell), edit(readFileSync(keptFileOf(cell), 'utf8')));
  expect(stateOf(cell)).toMatchObject({ kind: 'finished', result: { mAP: 0.5 } });
});

test.each(readdirSync('results'))('the results of %s are as the table kept them', (name) => {
  const folder = join('results', name, 'results');
  const changed = readdirSync(folder).filter(
    (name) => !hasItsDigest(JSON.parse(readFileSync(join(folder, name), 'utf8'))),
  );
  expect(changed).toEqual([]);
});

test.each([
  ['a mAP that is text', { mAP: 'high' }, 'is damaged: its field mAP is "high"'],
  ['no mAP', { mAP: null }, 'its field mAP is null (Invalid'],
])('a kept result with %s is a sentence', (_, change, sentence) => {
  keepResult(cell, resultOf(cell, 0.5));
  keepChanged({ result: { ...kept().result, ...change } });
  expect(stateOf(cell)).toMatchObject({ kind: 'failed', sentence: expect.stringContaining(sentence) });
});

test('a folder in place of the file is a sentence (EXPERIMENT_RESULT_UNREADABLE)', () => {
  mkdirSync(keptFileOf(cell), { recursive: true });
  expect(stateOf(cell)).toMatchObject({
    kind: 'failed',
    sentence: expect.stringContaining('but must be a result as fcaenet table keeps it'),
  });
});
