import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { withTables } from './run-file-tables.js';

const page = 'docs/run-file.md';

// `npm run docs:run-file` writes the page in the place of comparing.
test('the tables of docs/run-file.md are those of the schema and the presets', async () => {
  await expect(withTables(readFileSync(page, 'utf8'))).toMatchFileSnapshot(`../../${page}`);
});

test('a page without a place for a table is refused', () => {
  expect(() => withTables('# The run file\n')).toThrow('the page has no place for the table what is trained');
});
