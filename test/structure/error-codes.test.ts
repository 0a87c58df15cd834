import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/** Text of every TypeScript file of a folder that is not generated. */
function textOf(folder: string): string {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter(
      (entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.parentPath.includes('generated'),
    )
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
    .join('\n');
}

const source = textOf('src');
const tests = textOf('test');
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

test.each(codes)('a test names %s', (code) => {
  // As a word, in quotes or in a regular expression: not as a part of another code.
  expect(new RegExp(`\\b${code}\\b`).test(tests), `no file in test/ names ${code}`).toBe(true);
});
