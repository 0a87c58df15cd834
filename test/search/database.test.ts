import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeNpy } from '../../src/formats/npy.js';
import type { TrainedRun } from '../../src/inference/trained-run.js';
import { search } from '../../src/search/command.js';
import { openDatabase } from '../../src/search/database.js';
import { resultsPage } from '../../src/search/results-page.js';
import { hexOfCode, Searcher } from '../../src/search/searcher.js';
import { jpegPicture } from '../data/pictures.js';
import { failure } from '../kit/failure.js';

let folder: string;
const log = { info: () => {}, warn: () => {}, error: () => {} };
const list = {
  format: 'fcaenet-pictures',
  formatVersion: 1,
  fingerprint: 'f'.repeat(64),
  imagesFolder: 'images',
  classNames: ['owl', 'hawk'],
  train: { paths: ['a.jpg', 'b/c.jpg', 'd.jpg'], labels: [0, 1, 0] },
  test: { paths: ['e.jpg'], labels: [1] },
};
const trained = (changed = {}) =>
  ({
    directory: folder,
    checkpoint: 'term-1',
    layout: { bits: 12 },
    spec: { dataset: { path: '/birds' } },
    databaseCodes: Uint32Array.of(0b111, 0b1, 0b11),
    databaseSize: 3,
    datasetFingerprint: list.fingerprint,
    ...changed,
  }) as unknown as TrainedRun;
const open = (options: { database?: string; data?: string } = {}, changed = {}) =>
  openDatabase(trained(changed), { database: options.database, data: options.data }, log);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fcaenet-search-'));
  await writeFile(join(folder, 'pictures.json'), JSON.stringify(list));
  const codes = Uint8Array.of(1, 0, 3, 0, 255, 15);
  await writeFile(join(folder, 'codes.npy'), Buffer.concat(encodeNpy(codes, [3, 2])));
  await writeFile(join(folder, 'codes.paths.txt'), 'x.jpg\ny.jpg\nz.jpg\n');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('the pictures of a run have path, class and file, and are found by distance, ties by row', async () => {
  const database = await open();
  expect(database.picture(1)).toEqual({
    path: 'b/c.jpg',
    className: 'hawk',
    file: '/birds/images/b/c.jpg',
  });
  const found = new Searcher(database).nearest(Uint32Array.of(0, 0b101), 1, 2);
  expect(found).toEqual([
    { row: 0, distance: 1, path: 'a.jpg', class: 'owl' },
    { row: 1, distance: 1, path: 'b/c.jpg', class: 'hawk' },
  ]);
  expect((await open({ data: '/moved' })).picture(2).file).toBe('/moved/images/d.jpg');
});

test('a file of codes has no classes, and files only where their folder is named', async () => {
  const database = await open({ database: join(folder, 'codes.npy') });
  expect([...database.codes]).toEqual([1, 3, 0xfff]);
  expect(database.picture(2)).toEqual({ path: 'z.jpg', className: null, file: null });
  const placed = await open({ database: join(folder, 'codes.npy'), data: '/photos' });
  expect(placed.picture(0).file).toBe('/photos/x.jpg');
});

test('a code is written as the digits of its bytes', () => {
  expect(hexOfCode(Uint32Array.of(0xabc), 12)).toBe('bc0a');
});

test('a database of another dataset, another code length, without paths, with other paths', async () => {
  await expect(open({}, { datasetFingerprint: '0'.repeat(64) })).rejects.toEqual(
    failure(
      'SEARCH_OTHER_DATASET',
      'checkpoint term-1 was trained on 3 images with fingerprint 000000000000…, but the list of pictures has 3 with ffffffffffff…: they belong to different datasets',
    ),
  );
  const codes = join(folder, 'codes.npy');
  await expect(open({ database: codes }, { layout: { bits: 48 } })).rejects.toEqual(
    failure(
      'FORMAT_CODE_FILE',
      /codes\.npy has codes of 2 bytes, but the run has 48 bits, expected 6 bytes$/,
    ),
  );
  await expect(open({ database: join(folder, 'none.npy') })).rejects.toEqual(
    failure(
      'SEARCH_DATABASE_UNREADABLE',
      /^the file of codes .*none\.npy cannot be read \(ENOENT\), expected what "fcaenet encode" writes$/,
    ),
  );
  await writeFile(join(folder, 'other.npy'), await readFile(codes));
  await writeFile(join(folder, 'other.paths.txt'), 'x.jpg\n');
  await expect(open({ database: join(folder, 'other.npy') })).rejects.toEqual(
    failure(
      'SEARCH_PATHS_DIFFER',
      /other\.paths\.txt has 1 lines, but .*other\.npy has 3 codes, expected a path for each$/,
    ),
  );
});

test('a page that cannot be written is refused before the run is read', async () => {
  const given = {
    runDirectory: join(folder, 'none'),
    checkpoint: 'last' as const,
    engine: undefined,
    images: ['x.jpg'],
    top: 1,
    database: undefined,
    data: undefined,
    json: true,
  };
  const html = join(folder, 'nowhere', 'page.html');
  await expect(search({ ...given, html })).rejects.toEqual(
    failure(
      'SEARCH_PAGE_NOT_WRITTEN',
      /^the page of results .*page\.html cannot be written: .*nowhere is not a folder that exists\.?$/,
    ),
  );
  await expect(search({ ...given, html: folder })).rejects.toEqual(
    failure('SEARCH_PAGE_NOT_WRITTEN', /is a folder, but must be the name of a file\.?$/),
  );
});

test('the page has small pictures in it, escapes names, and says which picture is not there', async () => {
  const query = join(folder, 'q<1>.jpg');
  await writeFile(query, await jpegPicture(1));
  const database = await open();
  const nearest = [{ row: 0, distance: 1, path: '<script>.jpg', class: 'A & B' }];
  const page = await resultsPage([{ image: query, code: '0100', nearest }], database);
  expect(page).toContain('<img alt="" src="data:image/jpeg;base64,');
  expect(page).toContain('q&lt;1&gt;.jpg');
  expect(page).toContain('distance 1<br>A &amp; B<br>&lt;script&gt;.jpg');
  expect(page).toContain('<div class="none">not found</div>');
  expect(page).not.toContain('<script');
});
