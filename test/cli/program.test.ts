import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

test('the program is a file that runs by itself, as npx and the image start it', () => {
  const { version, bin } = JSON.parse(readFileSync('package.json', 'utf8'));
  expect(execFileSync(bin.fcaenet, ['--version'], { encoding: 'utf8' })).toBe(`${version}\n`);
});
