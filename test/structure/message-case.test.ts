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

/** A text in quotes, with places for values. */
const text = String.raw`(?:'(?:[^'\\\n]|\\.)*'|\x60(?:[^\x60\\$]|\\.|\$(?!\{)|\$\{(?:[^\x60{}]|\{[^\x60{}]*\}|\x60[^\x60]*\x60)*\})*\x60)`;
/** Behind a code, or as the only argument of a UsageError: a message, or two of which a condition chooses. */
const whole = new RegExp(
  String.raw`(?:'[A-Z][A-Z0-9]*_[A-Z0-9_]+',|new UsageError\()\s*(?:[^'\x60;{}]*\?\s*(${text})\s*:\s*)?(${text})`,
  'g',
);

/** The ends of messages that have a full stop. */
function stopped(source: string): string[] {
  return [...source.matchAll(whole)]
    .flatMap(([, first, second]) => [first, second])
    .filter((each) => each !== undefined && /\.['`]$/.test(each))
    .map((each) => each!.slice(-30));
}

test('the sentence of an error ends without a full stop: the program adds it where it prints the sentence', () => {
  const found = sourceFiles('src').flatMap((file) =>
    stopped(readFileSync(file, 'utf8')).map((end) => `${file}: ${end}`),
  );
  expect(found).toEqual([]);
});

test('a full stop is found, also in a choice and behind a value, and one inside is none', () => {
  expect(stopped("new RunError('RUN_LOST', 'it is lost.')")).toEqual(["'it is lost.'"]);
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is source text.
  expect(stopped("fail(\n 'RUN_LOST',\n code === 1 ? `a.` : `b ${list.join('.')}`)")).toEqual(['`a.`']);
  expect(stopped('new UsageError(isKey ? "x" : `y`)')).toEqual([]);
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is source text.
  expect(stopped('new UsageError(`${f({ a: 1 })} and ${`b`}.`)')).toEqual(['`${f({ a: 1 })} and ${`b`}.`']);
});

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
