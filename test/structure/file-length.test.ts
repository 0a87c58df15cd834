import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/** Beyond it, a file holds a second idea. */
const mostLines = 400;
const folders = ['src', 'test', 'bench', 'scripts', 'native', 'dashboards', 'proto', 'deploy'];

test(`no file has more than ${mostLines} lines`, () => {
  const files = folders.flatMap((folder) =>
    readdirSync(folder, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile() && /\.(?:ts|mjs|js|cc|h|proto|sh)$/.test(entry.name))
      .map(({ parentPath, name }) => join(parentPath, name))
      .filter((path) => !path.includes('node_modules')),
  );
  const long = files
    .map((path) => ({ path, lines: readFileSync(path, 'utf8').trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > mostLines);
  expect(long.map(({ path, lines }) => `${path}: ${lines}`)).toEqual([]);
});
