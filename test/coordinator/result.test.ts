import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { readResult } from '../../src/coordinator/training/result.js';
import { RunDirectory } from '../../src/run/run-directory.js';
import { failure } from '../kit/failure.js';
import { temporaryDirectory } from '../run/support.js';

const evaluation = { queries: 4, mAP: 0.5, tieAveragedMAP: 0.5, precisionAt: { 10: 0.25 } };
const result = {
  run: 'test',
  term: 1,
  dataset: { path: 'data', fingerprint: 'f', classes: 2, train: 8, test: 4 },
  iterations: 1,
  ...evaluation,
  untrained: null,
  workers: 1,
  seconds: 0,
  imagesPerSecond: null,
  weightsSha256: 'a'.repeat(64),
  codesSha256: 'b'.repeat(64),
  history: [
    { iteration: 1, evaluation: null },
    { iteration: 2, evaluation },
  ],
};

function directoryWith(content: unknown): RunDirectory {
  const directory = RunDirectory.at(join(temporaryDirectory(), 'test'));
  mkdirSync(dirname(directory.resultFile));
  writeFileSync(directory.resultFile, JSON.stringify(content));
  return directory;
}

test('a result is read as it was written', () => {
  expect(readResult(directoryWith(result))).toEqual(result);
  expect(readResult(RunDirectory.at(temporaryDirectory()))).toBeNull();
});

test.each<[object, string]>([
  [{ term: undefined }, 'it must be a JSON object with a number as its term'],
  [{ run: undefined }, 'its field run is missing'],
  [{ seconds: 'long' }, 'its field seconds is "long"'],
  [{ dataset: { path: 'data' } }, 'its field dataset.fingerprint is missing'],
  [{ codesSha256: 'abc' }, 'its field codesSha256 is "abc" (expected a SHA-256)'],
  [{ history: [{ iteration: 1 }] }, 'its field history[0].evaluation is missing'],
  [{ history: null }, 'its field history is null'],
])('JSON that is not a result is refused with its field: %j', (change, sentence) => {
  const directory = directoryWith({ ...result, ...change });
  expect(() => readResult(directory)).toThrow(
    failure('RUN_RESULT_DAMAGED', `the result ${directory.resultFile} is damaged: ${sentence}`),
  );
});
