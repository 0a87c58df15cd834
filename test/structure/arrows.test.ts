import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { importsOfSource, sourceFiles } from './imports.js';
import { circles, roomsOf } from './rooms.js';

/**
 * Folders of src by height. An import goes to a lower height, to a folder of the same one where that is said to be
 * allowed, or stays inside its folder.
 */
const heights: readonly { readonly folders: readonly string[]; readonly mayImportEachOther: boolean }[] = [
  { folders: ['errors.ts', 'clock.ts'], mayImportEachOther: false },
  { folders: ['disk'], mayImportEachOther: false },
  { folders: ['machine', 'methods'], mayImportEachOther: false },
  { folders: ['console', 'run', 'wasm'], mayImportEachOther: false },
  { folders: ['engine', 'kube', 'transport'], mayImportEachOther: false },
  {
    folders: [
      'model',
      'hashing',
      'data',
      'retrieval',
      'checkpoint',
      'reduction',
      'schedule',
      'identity',
      'formats',
    ],
    mayImportEachOther: true,
  },
  { folders: ['ledger', 'live', 'processes'], mayImportEachOther: false },
  { folders: ['coordinator', 'worker'], mayImportEachOther: false },
  { folders: ['inference'], mayImportEachOther: false },
  {
    folders: ['estimate', 'hub', 'inspection', 'page', 'encoding', 'export', 'search'],
    mayImportEachOther: false,
  },
  { folders: ['experiments', 'report'], mayImportEachOther: false },
  { folders: ['estimate', 'inspection', 'encoding', 'export', 'search'], mayImportEachOther: false },
  { folders: ['experiments', 'report', 'serving'], mayImportEachOther: false },
  { folders: ['commands'], mayImportEachOther: false },
  { folders: ['cli.ts'], mayImportEachOther: false },
];
/** Plain TypeScript over typed arrays: no tensors, no engine. */
const plain = ['hashing', 'data', 'methods', 'retrieval', 'formats'];

const imports = importsOfSource();

function heightOf(folder: string): number {
  return heights.findIndex(({ folders }) => folders.includes(folder));
}

test('every folder of src has its place', () => {
  expect(readdirSync('src').filter((name) => heightOf(name) < 0)).toEqual([]);
});

test('imports between folders point down', () => {
  const wrong = imports.filter(({ from, to }) => {
    if (to === undefined || to === '..' || from === to) return false;
    const [above, below] = [heightOf(from), heightOf(to)];
    return below > above || (below === above && !heights[above]!.mayImportEachOther);
  });
  expect(wrong.map(({ file, specifier }) => `${file} imports ${specifier}`)).toEqual([]);
});

test('no circle runs through folders', () => {
  expect(circles(roomsOf('', imports))).toEqual([]);
});

test('no circle runs through files, imports of types included', () => {
  const files = new Map<string, Set<string>>();
  for (const { file, target } of imports) {
    const targets = files.get(file) ?? new Set();
    files.set(file, target === undefined ? targets : targets.add(join('src', target)));
  }
  expect(circles(files)).toEqual([]);
});

/** What a browser can load besides the page's own files. */
const forBrowsers = [
  'live/view.ts',
  'live/words.ts',
  'preact',
  'preact/hooks',
  'uplot',
  'uplot/dist/uPlot.min.css',
];

test('the page imports nothing of Node, and nobody imports the page', () => {
  const isOfPage = ({ from, to, target, specifier }: (typeof imports)[number]) =>
    from === 'page' ? to === 'page' || forBrowsers.includes(target ?? specifier) : to !== 'page';
  expect(imports.filter((each) => each.from === 'page').length).toBeGreaterThan(10);
  const needed = imports.filter(({ file }) => forBrowsers.some((each) => file === join('src', each)));
  const foreign = needed.filter(({ target }) => !forBrowsers.includes(target ?? ''));
  const wrong = [...imports.filter((each) => !isOfPage(each)), ...foreign];
  expect(wrong.map(({ file, specifier }) => `${file} imports ${specifier}`)).toEqual([]);
});

test('hashing, data, methods, retrieval and formats know no tensors and no engine', () => {
  const wrong = imports.filter(
    ({ from, to, specifier }) =>
      plain.includes(from) && (specifier.startsWith('@tensorflow/') || to === 'engine' || to === 'model'),
  );
  expect(wrong.map(({ file, specifier }) => `${file} imports ${specifier}`)).toEqual([]);
});

test('only the engine knows a backend; all others compute with tfjs-core', () => {
  const wrong = imports.filter(
    ({ from, specifier }) =>
      from !== 'engine' &&
      specifier.startsWith('@tensorflow/') &&
      !specifier.startsWith('@tensorflow/tfjs-core'),
  );
  expect(wrong.map(({ file, specifier }) => `${file} imports ${specifier}`)).toEqual([]);
});

/** Of `node:fs`, what needs no thread of libuv's pool: the calls that block, and what is not a call. */
const blocking = /^(?:\w+Sync|constants|type \w+)$/;

test('every file operation that is awaited goes through src/disk/, which watches it', () => {
  const wrong = sourceFiles('src')
    .filter((file) => !file.startsWith(join('src', 'disk')))
    .flatMap((file) => {
      const text = readFileSync(file, 'utf8');
      const promised = /from 'node:fs\/promises'|from 'fs(?:\/promises)?'/.test(text)
        ? ['node:fs/promises']
        : [];
      const named = [...text.matchAll(/import (?:type )?(\{[^}]*\}|[\w* ]+) from 'node:fs'/g)].flatMap(
        ([, names]) =>
          names!.startsWith('{')
            ? names!
                .slice(1, -1)
                .split(',')
                .map((name) => name.trim())
                .filter((name) => name !== '')
            : [names!],
      );
      const awaited = named.filter((name) => !blocking.test(name));
      return [...promised, ...awaited].map((name) => `${file} imports ${name}`);
    });
  expect(wrong).toEqual([]);
});

test('pictures are decoded where they are watched: the decoder uses the same threads', () => {
  const wrong = imports
    .filter(({ specifier }) => specifier === 'sharp')
    .filter(({ file }) => {
      const text = readFileSync(file, 'utf8');
      const decoded = text.match(/\.(?:toBuffer|metadata|toFile|stats)\(/g)?.length ?? 0;
      return decoded !== (text.match(/diskWatch\s*\.until\(/g)?.length ?? 0);
    });
  expect(wrong.map(({ file }) => file)).toEqual([]);
});
