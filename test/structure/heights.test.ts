import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { importsOfSource } from './imports.js';

/**
 * Folders of src that have folders of their own, and what lies in them by height, the lowest first. An import goes to
 * a lower height, stays in its folder, or goes from file to file of one height; `*` are the files that are not named.
 */
const rooms: Readonly<Record<string, readonly (readonly string[])[]>> = {
  'src/commands': [['options.ts', 'usage.ts'], ['completion'], ['*']],
  'src/coordinator': [
    ['error.ts'],
    ['lane'],
    ['carrier'],
    ['dispatch'],
    ['exchange'],
    ['admission', 'training'],
    ['checkpoints', 'leadership'],
    ['monitoring'],
    ['*'],
  ],
  'src/coordinator/monitoring': [['coordinator-event.ts', 'remaining-time.ts'], ['metrics'], ['*']],
  'src/data': [
    ['error.ts', 'random.ts', 'philox.ts', 'picture-file.ts', 'pixels.ts'],
    ['layouts', 'synthetic'],
    ['content'],
    ['*'],
  ],
  'src/engine': [
    ['error.ts', 'engine.ts', 'tensor-memory.ts', 'batch-norm.ts', 'batch-norm-gradients.ts', 'gradients.ts'],
    ['graph'],
    ['onednn', 'tensorflow', 'webgpu'],
    ['*'],
  ],
  'src/engine/graph': [['graph.ts', 'operations.ts'], ['kernels'], ['*']],
  'src/engine/onednn': [['addon.ts', 'backend.ts', 'buffer-pool.ts'], ['kernels'], ['*']],
  'src/experiments': [['*'], ['tune']],
  'src/export': [['error.ts', 'files.ts', 'formats.ts', 'network.ts'], ['graph'], ['*']],
  'src/inspection': [['runs'], ['ui'], ['*'], ['bisect']],
  'src/live': [['view.ts', 'words.ts', 'short-number.ts'], ['serve'], ['*']],
  'src/machine': [['error.ts', 'system-text.ts'], ['devices'], ['*']],
  'src/model': [
    ['architecture.ts', 'error.ts', 'placement.ts'],
    ['heads'],
    ['run-layers.ts'],
    ['exchnet'],
    ['*'],
    ['graph', 'weights'],
    ['any-engine.ts'],
  ],
  'src/report': [['error.ts'], ['drawing', 'reading'], ['pictures'], ['page'], ['*']],
  'src/transport': [['*'], ['peers'], ['events'], ['control']],
  'src/worker': [['error.ts', 'images'], ['exchange'], ['peering'], ['lane'], ['*']],
};

interface Place {
  readonly height: number;
  /** The folder of the room that it lies in, or null where it is a file of the room itself. */
  readonly folder: string | null;
}

function placeOf(room: string, path: string): Place {
  const levels = rooms[room]!;
  const entry = path.slice(room.length + 1).split('/')[0]!;
  const isFile = /\.tsx?$/.test(entry);
  const named = levels.findIndex((level) => level.includes(entry));
  const height = named < 0 && isFile ? levels.findIndex((level) => level.includes('*')) : named;
  return { height, folder: isFile ? null : entry };
}

function pointsDown(from: Place, to: Place): boolean {
  return to.height < from.height || (to.height === from.height && to.folder === from.folder);
}

test('every folder of src that has folders is a room with heights', () => {
  const found = readdirSync('src', { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isDirectory() && entry.parentPath !== 'src')
    .map(({ parentPath }) => parentPath)
    .filter((path) => !path.startsWith(join('src', 'transport', 'generated')));
  expect(Object.keys(rooms).sort()).toEqual([...new Set(found)].sort());
});

test.each(Object.entries(rooms))(
  'every name in the heights of %s is there, and every folder has one',
  (room, levels) => {
    const entries = readdirSync(room, { withFileTypes: true });
    const names = levels.flat().filter((name) => name !== '*');
    expect(names.filter((name) => !entries.some((entry) => entry.name === name))).toEqual([]);
    const folders = entries.filter((entry) => entry.isDirectory() && entry.name !== 'generated');
    expect(folders.filter(({ name }) => !names.includes(name)).map(({ name }) => name)).toEqual([]);
  },
);

test.each(Object.keys(rooms))('imports inside %s point down', (room) => {
  const wrong = importsOfSource().filter(({ file, target }) => {
    if (target === undefined || target.includes('/generated/')) return false;
    const path = join('src', target);
    if (!file.startsWith(`${room}/`) || !path.startsWith(`${room}/`)) return false;
    return !pointsDown(placeOf(room, file), placeOf(room, path));
  });
  expect(wrong.map(({ file, specifier }) => `${file} imports ${specifier}`)).toEqual([]);
});
