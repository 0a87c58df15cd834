import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';

/**
 * Folders of src by height. An import goes to a lower height, to a folder of the same one where that is said to be
 * allowed, or stays inside its folder.
 */
const heights: readonly { readonly folders: readonly string[]; readonly mayImportEachOther: boolean }[] = [
  { folders: ['errors.ts', 'clock.ts'], mayImportEachOther: false },
  { folders: ['disk'], mayImportEachOther: false },
  { folders: ['machine'], mayImportEachOther: false },
  { folders: ['console', 'run', 'wasm'], mayImportEachOther: false },
  { folders: ['engine', 'kube', 'transport'], mayImportEachOther: false },
  {
    folders: ['model', 'hashing', 'data', 'retrieval', 'checkpoint', 'reduction', 'schedule', 'identity'],
    mayImportEachOther: true,
  },
  { folders: ['ledger'], mayImportEachOther: false },
  { folders: ['coordinator', 'worker'], mayImportEachOther: false },
  { folders: ['estimate', 'inspection'], mayImportEachOther: false },
  { folders: ['commands'], mayImportEachOther: false },
  { folders: ['cli.ts'], mayImportEachOther: false },
];
/** Plain TypeScript over typed arrays: no tensors, no engine. */
const plain = ['hashing', 'data', 'retrieval'];

interface Import {
  readonly file: string;
  readonly from: string;
  readonly specifier: string;
  /** Folder of src, or undefined for a package. */
  readonly to: string | undefined;
}

const imports = sourceFiles('src').flatMap(importsOf);

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    // Generated from proto/, types only.
    if (path === join('src', 'transport', 'generated')) return [];
    return entry.isDirectory() ? sourceFiles(path) : path.endsWith('.ts') ? [path] : [];
  });
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8');
  const specifiers = [...text.matchAll(/(?:\bfrom|\bimport\(?)\s*'([^']+)'/g)].map((match) => match[1]!);
  return specifiers.map((specifier) => {
    const target = relative('src', join(dirname(file), specifier));
    const to = specifier.startsWith('.') ? topOf(target.replace(/\.js$/, '.ts')) : undefined;
    return { file, from: topOf(relative('src', file)), specifier, to };
  });
}

function topOf(path: string): string {
  return path.split('/')[0]!;
}

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
  const edges = new Map<string, Set<string>>();
  for (const { from, to } of imports) {
    if (to !== undefined && to !== from) edges.set(from, (edges.get(from) ?? new Set()).add(to));
  }
  const reaches = (start: string, goal: string, seen = new Set<string>()): boolean =>
    [...(edges.get(start) ?? [])].some((next) => {
      if (next === goal) return true;
      if (seen.has(next)) return false;
      seen.add(next);
      return reaches(next, goal, seen);
    });
  expect([...edges.keys()].filter((folder) => reaches(folder, folder))).toEqual([]);
});

test('hashing, data and retrieval know no tensors and no engine', () => {
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
