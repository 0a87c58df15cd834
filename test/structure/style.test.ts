import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sourceFiles } from './imports.js';

/** Lines of src that match, as `file: line`. */
function linesOf(pattern: RegExp): string[] {
  return sourceFiles('src').flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(pattern)].map(([line]) => `${file}: ${line.trim()}`),
  );
}

test('constants are written in camelCase', () => {
  expect(linesOf(/^\s*(?:export )?const [A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*\b.*$/gm)).toEqual([]);
});

test('what is a class’s own is private, not #', () => {
  expect(linesOf(/^\s+(?:(?:static|readonly|async|get|set) )*#\w+.*$/gm)).toEqual([]);
});

test('state that is absent is null; undefined is what a caller left out or a look-up did not find', () => {
  const states = linesOf(
    /^(?:let |[ \t]+(?:private |protected |public |abstract )(?:readonly )?)\w+: [^\n]*\| undefined\b[^\n]*$/gm,
  );
  // `clearTimeout` takes undefined, and not null.
  expect(states.filter((line) => !line.includes('NodeJS.Timeout'))).toEqual([]);
});
