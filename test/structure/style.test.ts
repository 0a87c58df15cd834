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
