import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readRun } from '../../src/commands/options.js';
import { readTunedSettings, type TunedDocument, tunedText } from '../../src/experiments/tuned-file.js';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fcaenet-tuned-'));
  file = join(folder, 'tune.json');
});
afterEach(() => rmSync(folder, { recursive: true }));

const settings = { 'spec.loss.alpha': 0.25, 'spec.schedule.decayAfter': [2, 5] };
const document: Omit<TunedDocument, 'kind'> = {
  method: 'fcaenet',
  bits: 24,
  search: { trials: 4 },
  chosen: { trial: 2, settings },
};
const write = (changes: object = {}) => writeFileSync(file, tunedText({ ...document, ...changes }));
const readQuick = (...set: string[]) => readRun('examples/quick.yaml', { set, setFrom: [file] });

test('what a search has chosen is read as overrides', () => {
  write();
  expect(readTunedSettings(file)).toEqual({
    source: file,
    method: 'fcaenet',
    bits: 24,
    settings: ['spec.loss.alpha=0.25', 'spec.schedule.decayAfter=[2,5]'],
  });
});

test('--set-from changes the run, and --set counts more', () => {
  write();
  expect(readQuick().spec).toMatchObject({ loss: { alpha: 0.25 }, schedule: { decayAfter: [2, 5] } });
  expect(readQuick('spec.loss.alpha=3').spec.loss.alpha).toBe(3);
});

test.each([
  ['method', ['spec.method=esrl'], 'esrl at 24 bits'],
  ['code length', ['spec.bits=12'], 'fcaenet at 12 bits'],
])('settings of another %s are refused (EXPERIMENT_TUNED_OTHER)', (_, set, has) => {
  write();
  expect(() => readQuick(...set)).toThrow(`${file} was tuned for fcaenet at 24 bits, but the run has ${has}`);
});

test.each([
  ['cut off', (text: string) => text.slice(0, -20)],
  ['changed', (text: string) => text.replace('0.25', '0.26')],
  ['of another kind', () => '{"kind":"other"}'],
  ['empty', () => ''],
])('a file that is %s is refused (EXPERIMENT_TUNED_DAMAGED)', (_, damage) => {
  writeFileSync(file, damage(tunedText(document)));
  expect(() => readTunedSettings(file)).toThrow(
    `${file} is damaged or was changed: it must be a tune.json as fcaenet tune has written it`,
  );
});

test('a file cannot choose a setting that no search varies', () => {
  const chosen = { trial: 1, settings: { 'spec.operation.runsDirectory': 3 } };
  writeFileSync(file, tunedText({ ...document, chosen } as never));
  expect(() => readTunedSettings(file)).toThrow('is damaged or was changed');
});

test('a search that has not finished has chosen nothing (EXPERIMENT_TUNED_UNFINISHED)', () => {
  write({ chosen: null });
  expect(() => readTunedSettings(file)).toThrow(
    `the search of ${file} has chosen nothing yet, but must have finished; run the same fcaenet tune again`,
  );
});

test('a file that is not there is refused (EXPERIMENT_TUNED_UNREADABLE)', () => {
  expect(() => readTunedSettings(file)).toThrow(`${file} cannot be read (ENOENT), but must be a tune.json`);
});
