import { mkdir, mkdtemp, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { OpenFile } from '../../src/disk/disk.js';
import { encodePictures } from '../../src/encoding/encode-pictures.js';
import { type FoundPictures, listPictures } from '../../src/encoding/list-pictures.js';
import { writeCodes } from '../../src/encoding/write-codes.js';
import type { Encoder, PictureSource } from '../../src/inference/encoder.js';
import { failure } from '../kit/failure.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fcaenet-encode-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const work = { networkSha256: 'n', picturesSha256: 'p', bits: 20, engine: 'e' };
const pictures: FoundPictures = { root: '/data', paths: Array.from({ length: 300 }, (_, i) => `${i}.jpg`) };
const codeOf = (path: string) => Math.imul(Number(/(\d+)\.jpg$/.exec(path)![1]) + 1, 0x9e3779b1) >>> 12;

/** Codes are of the path; it fails at a path, and answers the later of two requests first. */
class FakeEncoder implements Encoder {
  readonly requests = 2;
  asked = 0;
  constructor(
    private readonly fails: string | null = null,
    private readonly onAsked: (asked: number) => void = () => {},
  ) {}
  async encode(sources: readonly PictureSource[]) {
    this.onAsked(++this.asked);
    if (this.asked % 2 === 1) await new Promise((resolve) => setTimeout(resolve, 5));
    const paths = sources as readonly string[];
    if (paths.some((path) => path.endsWith(`/${this.fails}`))) throw new Error(`${this.fails} is damaged`);
    return Uint32Array.from(paths, codeOf);
  }
  async close() {}
}

function encoded(journal: string, encoder: Encoder, changed = {}, signal = new AbortController().signal) {
  const seen: number[] = [];
  const codes = encodePictures({
    ...{ pictures, journal: join(folder, journal), encoder, signal },
    work: { ...work, ...changed },
    onProgress: (done) => seen.push(done),
  });
  return { codes, seen };
}

const expected = Uint8Array.from(
  pictures.paths.flatMap((path) => [0, 8, 16].map((shift) => (codeOf(path) >>> shift) & 255)),
);

test('codes are in the order of the pictures, in whichever order they come', async () => {
  const { codes, seen } = encoded('whole', new FakeEncoder());
  expect(await codes).toEqual(expected);
  expect(seen).toEqual([0, 64, 128, 192, 256, 300]);
});

test('after a failure the work goes on behind the last batch, and ends with the same codes', async () => {
  await expect(encoded('failed', new FakeEncoder('150.jpg')).codes).rejects.toThrow('150.jpg is damaged');
  const again = new FakeEncoder();
  const { codes, seen } = encoded('failed', again);
  expect(await codes).toEqual(expected);
  expect([seen[0], again.asked]).toEqual([128, 3]);
});

test('an interruption keeps what was encoded', async () => {
  const stop = new AbortController();
  const encoder = new FakeEncoder(null, (asked) => asked === 4 && stop.abort(new Error('enough')));
  await expect(encoded('interrupted', encoder, {}, stop.signal).codes).rejects.toThrow('enough');
  const { codes, seen } = encoded('interrupted', new FakeEncoder());
  expect(await codes).toEqual(expected);
  expect(seen[0]).toBeGreaterThan(0);
});

test('a record that was torn by a crash, or damaged, is computed again', async () => {
  await encoded('torn', new FakeEncoder()).codes;
  const file = join(folder, 'torn');
  await truncate(file, (await readFile(file)).length - 60);
  const torn = encoded('torn', new FakeEncoder());
  expect(await torn.codes).toEqual(expected);
  expect(torn.seen[0]).toBe(256);
  const bytes = await readFile(file);
  bytes[bytes.length - 300]! ^= 1;
  await writeFile(file, bytes);
  const damaged = encoded('torn', new FakeEncoder());
  expect(await damaged.codes).toEqual(expected);
  expect(damaged.seen[0]).toBe(192);
});

test('on a full disk the codes of earlier batches are kept', async () => {
  const write = OpenFile.prototype.write;
  const full = vi.spyOn(OpenFile.prototype, 'write').mockImplementation(async function (
    this: OpenFile,
    ...record
  ) {
    if (record[1] > 400) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    return write.apply(this, record);
  });
  await expect(encoded('full', new FakeEncoder()).codes).rejects.toEqual(
    failure(
      'ENCODING_OUTPUT_UNUSABLE',
      `${join(folder, 'full')} cannot be written (ENOSPC); the codes before are kept, and the same command goes on`,
    ),
  );
  full.mockRestore();
  const { codes, seen } = encoded('full', new FakeEncoder());
  expect(await codes).toEqual(expected);
  expect(seen[0]).toBe(128);
});

test.each([
  [{ networkSha256: 'm' }, 'another network'],
  [{ picturesSha256: 'q', engine: 'f' }, 'other pictures, another engine'],
])('the journal of other work is not used: %o', async (changed, what) => {
  await encoded('other', new FakeEncoder()).codes;
  await expect(encoded('other', new FakeEncoder(), changed).codes).rejects.toEqual(
    failure(
      'ENCODING_OTHER_WORK',
      `${join(folder, 'other')} has codes of ${what}; remove it to encode from the beginning, or choose another --output`,
    ),
  );
});

test('a journal without codes is begun anew for other work', async () => {
  const file = join(folder, 'begun');
  const damaged = new FakeEncoder('1.jpg');
  await expect(encoded('begun', damaged).codes).rejects.toThrow('1.jpg is damaged');
  const left = await readFile(file, 'utf8');
  expect(left).toMatch(/^\{.*\}\n$/);
  const changed = { picturesSha256: 'corrected' };
  for (const content of [left, left.slice(0, 40), '{"form', '']) {
    await writeFile(file, content);
    expect(await encoded('begun', new FakeEncoder(), changed).codes).toEqual(expected);
    expect(await encoded('begun', new FakeEncoder(), changed).codes).toEqual(expected);
  }
  await expect(encoded('begun', new FakeEncoder()).codes).rejects.toMatchObject({
    code: 'ENCODING_OTHER_WORK',
  });
});

test('a file that is no journal, and a folder that is not there', async () => {
  await writeFile(join(folder, 'text'), 'my notes\n');
  await expect(encoded('text', new FakeEncoder()).codes).rejects.toEqual(
    failure(
      'ENCODING_OTHER_WORK',
      /text has codes of unknown origin; remove it to encode from the beginning/,
    ),
  );
  expect(await readFile(join(folder, 'text'), 'utf8')).toBe('my notes\n');
  await expect(encoded('none/codes', new FakeEncoder()).codes).rejects.toEqual(
    failure(
      'ENCODING_OUTPUT_UNUSABLE',
      /cannot be written \(ENOENT\), expected a folder that exists and can/,
    ),
  );
  await expect(
    writeCodes(join(folder, 'none', 'x.csv'), 'csv', expected, 20, pictures.paths),
  ).rejects.toEqual(
    failure('ENCODING_OUTPUT_UNUSABLE', /x\.csv cannot be written \(ENOENT\); what was encoded is kept, and/),
  );
});

test('the pictures below a folder, sorted, without hidden ones and without folders that are links', async () => {
  const root = join(folder, 'tree');
  await mkdir(join(root, 'b', '.hidden'), { recursive: true });
  for (const file of ['c.PNG', 'b/a.jpg', 'b/.hidden/x.jpg', 'b/notes.txt', 'a.webp', '.x.jpg']) {
    await writeFile(join(root, file), '');
  }
  await symlink(root, join(root, 'b', 'loop.jpg'));
  await symlink(join(root, 'c.PNG'), join(root, 'd.png'));
  expect(await listPictures(root)).toEqual({ root, paths: ['a.webp', 'b/a.jpg', 'c.PNG', 'd.png'] });
});

test('a list of pictures, also from Windows', async () => {
  const list = join(folder, 'list.txt');
  await writeFile(list, 'b/x.jpg\r\n\r\na, "1".jpg');
  expect(await listPictures(list)).toEqual({ root: folder, paths: ['b/x.jpg', 'a, "1".jpg'] });
});

test('no pictures, no list, no text', async () => {
  const empty = join(folder, 'empty');
  await mkdir(empty);
  await expect(listPictures(empty)).rejects.toEqual(
    failure(
      'ENCODING_NO_PICTURES',
      `there is no picture below ${empty}, expected files that end in .jpg, .jpeg, .png, .webp, .gif, .tif, .tiff, .avif`,
    ),
  );
  await writeFile(join(folder, 'blank.txt'), '\n\n');
  await expect(listPictures(join(folder, 'blank.txt'))).rejects.toEqual(
    failure('ENCODING_NO_PICTURES', /blank\.txt is empty, expected a path in each line$/),
  );
  await expect(listPictures(join(folder, 'nowhere'))).rejects.toEqual(
    failure(
      'ENCODING_LIST_INVALID',
      /nowhere does not exist, expected a folder of pictures, or a file with a path/,
    ),
  );
  await writeFile(join(folder, 'one.jpg'), Buffer.from([0xff, 0xd8, 0, 1]));
  await expect(listPictures(join(folder, 'one.jpg'))).rejects.toEqual(
    failure(
      'ENCODING_LIST_INVALID',
      /one\.jpg is not a text file, expected a path in each line; for one picture/,
    ),
  );
  await mkdir(join(folder, 'lines'));
  await writeFile(join(folder, 'lines', 'a\nb.jpg'), '');
  await expect(listPictures(join(folder, 'lines'))).rejects.toEqual(
    failure(
      'ENCODING_LIST_INVALID',
      /^the path "a\\nb\.jpg" contains a line break, but paths are written one in/,
    ),
  );
});

test('a list of pictures may begin with a byte order mark, but must be UTF-8', async () => {
  const list = join(folder, 'marked.txt');
  await writeFile(list, '\ufeffa.jpg\r\nb\u00e9.jpg\r\n');
  expect((await listPictures(list)).paths).toEqual(['a.jpg', 'b\u00e9.jpg']);
  await writeFile(list, Buffer.from('b\u00e9.jpg\n', 'latin1'));
  await expect(listPictures(list)).rejects.toEqual(
    failure(
      'ENCODING_LIST_INVALID',
      /marked\.txt is in another encoding, perhaps Latin-1, but must be UTF-8: save/,
    ),
  );
});

test.each(['file', 'folder'])('a %s whose name is not UTF-8 is refused with its name', async (kind) => {
  const name = Buffer.concat([Buffer.from(join(folder, `latin-${kind}`, 'a')), Buffer.from([0xe9])]);
  await mkdir(join(folder, `latin-${kind}`));
  if (kind === 'folder') await mkdir(name);
  else await writeFile(Buffer.concat([name, Buffer.from('.jpg')]), '');
  await expect(listPictures(join(folder, `latin-${kind}`))).rejects.toEqual(
    failure('ENCODING_LIST_INVALID', /^the name "a\ufffd(?:\.jpg)?" below .* is not UTF-8, but paths are/),
  );
  // A name may have the character itself.
  await mkdir(join(folder, `odd-${kind}`));
  await writeFile(join(folder, `odd-${kind}`, '\ufffd.jpg'), '');
  expect((await listPictures(join(folder, `odd-${kind}`))).paths).toEqual(['\ufffd.jpg']);
});
