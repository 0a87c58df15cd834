import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sourceFiles } from './imports.js';

/** Behind a code, the first letter of a message; a condition may stand between. */
const message = /\(\s*'[A-Z][A-Z0-9]*_[A-Z0-9_]+',\s*(?:[^'`;{}]*\?\s*)?['`]([A-Z][\w.]*)/g;
/** What a check of a length names, which begins its sentence. */
const checked = /\bcheck(?:Elements|Length)\(\s*['`]([A-Z][\w.]*)/g;
/** Names, which have their capital everywhere. */
const names = new Set(['BatchNorm', 'TF.js', 'TensorFlow', 'NATS', 'URL']);

function capitalised(source: string): string[] {
  return [message, checked]
    .flatMap((pattern) => [...source.matchAll(pattern)])
    .map(([, word]) => word!)
    .filter((word) => !names.has(word));
}

test('the sentence of an error begins with a small letter: the program’s name stands before it', () => {
  const found = sourceFiles('src').flatMap((file) =>
    capitalised(readFileSync(file, 'utf8')).map((word) => `${file}: ${word}`),
  );
  expect(found).toEqual([]);
});

test('a capital is found, also behind a condition, and a name is none', () => {
  expect(capitalised("throw new RunError('RUN_LOST', 'The run is lost')")).toEqual(['The']);
  expect(capitalised("fail(\n 'RUN_LOST',\n code === 1 ? `Weights are lost` : 'x')")).toEqual(['Weights']);
  expect(capitalised("new ModelError('MODEL_SHAPE', `BatchNorm moments`)")).toEqual([]);
  expect(capitalised("checkElements('A gradient', 3, 4)")).toEqual(['A']);
});
