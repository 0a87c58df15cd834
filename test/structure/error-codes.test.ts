import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { messagesIn, wordsOf } from './error-messages.js';

/** Texts of the TypeScript files of a folder that are not generated. */
function textsOf(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter(
      (entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.parentPath.includes('generated'),
    )
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'));
}

const source = textsOf('src').join('\n');
const testFiles = textsOf('test');
/** `CHECKPOINT` of `code: \`CHECKPOINT_${string}\`` or `type CheckpointErrorCode`, and so on: the areas of errors. */
const areas = new Set(
  [...source.matchAll(/class (\w+)Error extends FcaenetError/g)].map(
    ([, name]) => ({ RunFile: 'RUN', Usage: 'USAGE' })[name!] ?? name!.toUpperCase(),
  ),
);
const errorCodes = [...source.matchAll(/'([A-Z]+(?:_[A-Z0-9]+)*)'/g)]
  .map(([, code]) => code!)
  .filter((code) => areas.has(code.split('_')[0]!));
/** What a coordinator says to those whom it refuses. */
const refusalCodes = [
  ...[...source.matchAll(/this\.refuse\(\s*[\w.]+,\s*'([A-Z_]+)'/g)].map(([, code]) => code!),
  ...[...source.matchAll(/\bcode: '([A-Z_]+)'/g)].map(([, code]) => code!),
];
const control = [...source.matchAll(/'(CONTROL_[A-Z_]+)'/g)].map(([, code]) => code!);
const codes = [...new Set([...errorCodes, ...refusalCodes, ...control])].sort();

test('the search finds the codes', () => {
  expect(areas.size).toBeGreaterThanOrEqual(12);
  expect(codes.length).toBeGreaterThanOrEqual(100);
  expect(codes).toEqual(
    expect.arrayContaining([
      'COORDINATOR_DEPOSED',
      'CHECKPOINT_DAMAGED',
      'HELLO_MISSING',
      'SET_ASIDE',
      'USAGE',
    ]),
  );
});
/** Codes of whatever was thrown, in its own words. */
const ofOthers = ['BAD_MESSAGE', 'CONTROL_FAILED', 'WORKER_UNEXPECTED'];
const described = codes.filter((code) => !ofOthers.includes(code));
const messages = messagesIn('src', (text) => described.includes(text));

test.each(described)('%s has a sentence', (code) => {
  const own = messages.filter((message) => message.code === code);
  expect(own.filter(({ parts }) => wordsOf(parts.join(' ')).length >= 3)).not.toEqual([]);
});

/** Words by which a sentence without a value says what would have been right. */
const expectation = /\b(?:expected|but|must|needs?|only|before|than|or)\b|;/;

test('every sentence of an error names a value or what was expected', () => {
  const silent = messages.filter(({ parts, hasValue }) => !hasValue && !expectation.test(parts.join(' ')));
  expect(silent.map(({ file, code, parts }) => `${file}: ${code} ${parts.join('…')}`)).toEqual([]);
});

/** So many words in a row are a sentence's own. */
const ownWords = 3;

test.each(described)('a test that names %s expects its sentence', (code) => {
  const sentences = messages.filter((message) => message.code === code).flatMap(({ parts }) => parts);
  const runs = sentences
    .map(wordsOf)
    .flatMap((words) =>
      words
        .slice(0, Math.max(1, words.length - ownWords + 1))
        .map((_, at) => words.slice(at, at + ownWords).join(' ')),
    )
    .filter((run) => run.includes(' '));
  const named = testFiles
    .filter((text) => new RegExp(`\\b${code}\\b`).test(text))
    .map((text) => ` ${wordsOf(text).join(' ')} `);
  expect(
    named.some((text) => runs.some((run) => text.includes(` ${run} `))),
    sentences.join('…'),
  ).toBe(true);
});
