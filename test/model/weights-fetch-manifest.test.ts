import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { describeModel } from '../../src/model/layout.js';
import { findPublished, type PublishedWeights } from '../../src/model/weights/catalogue.js';
import { fetchManifestWeights } from '../../src/model/weights/fetch-manifest.js';
import { convertWeights } from '../../src/model/weights/inspect.js';
import { bytesOf } from '../../src/transport/bytes.js';
import { temporaryDirectory } from '../run/support.js';

const layout = describeModel({ backbone: 'mobilenet_v1', width: 0.25, bits: 8, imageSize: 64 });

/** Files of a TF.js manifest of MobileNetV1, ten tensors a shard, every value different from its neighbour's. */
function manifestFiles(): Map<string, Buffer> {
  const tensors = [
    ...layout.parameters.slice(0, -2).map(({ name, shape }) => ({ name, shape })),
    ...layout.batchNorms.flatMap(({ meanName, varianceName, channels }) =>
      [meanName, varianceName].map((name) => ({ name, shape: [channels] })),
    ),
  ];
  const files = new Map<string, Buffer>();
  const weightsManifest = [];
  for (let first = 0; first < tensors.length; first += 10) {
    const group = tensors.slice(first, first + 10);
    const path = `shard${first / 10}`;
    const values = group.flatMap(({ shape }) => {
      const length = shape.reduce((product, extent) => product * extent, 1);
      return Array.from({ length }, (_, i) => 1 + i + first);
    });
    files.set(path, Buffer.from(bytesOf(Float32Array.from(values))));
    weightsManifest.push({
      paths: [path],
      weights: group.map(({ name, shape }) => ({ name, shape, dtype: 'float32' })),
    });
  }
  files.set('model.json', Buffer.from(JSON.stringify({ weightsManifest })));
  return files;
}

/** Serves files by name, in ranges; answers 404 for the rest. */
async function serve(files: ReadonlyMap<string, Buffer>): Promise<string> {
  const server = createServer((request, response) => {
    const file = files.get(request.url!.slice(1));
    const begin = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    if (!file) response.writeHead(404).end();
    else if (begin >= file.length) response.writeHead(416).end();
    else {
      response.writeHead(begin > 0 ? 206 : 200, { 'content-length': file.length - begin });
      response.end(file.subarray(begin));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/model.json`;
}

function writeFiles(files: ReadonlyMap<string, Buffer>): string {
  const folder = temporaryDirectory();
  for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes);
  return join(folder, 'model.json');
}

/** What `weights fetch` should write of these files, converted by the way of `weights convert`. */
async function expected(files: ReadonlyMap<string, Buffer>): Promise<Buffer> {
  return Buffer.concat((await convertWeights(writeFiles(files), { source: 'x' })).pieces);
}

function published(url: string, bytes: Buffer): PublishedWeights {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { name: 'x', url, sha256, backbone: 'mobilenet_v1', width: 0.25, file: 'x.safetensors' };
}

test('a manifest and its shards become one file, which is not fetched again', async () => {
  const files = manifestFiles();
  const bytes = await expected(files);
  const weights = published(await serve(files), bytes);
  const target = join(temporaryDirectory(), 'deeper', 'x.safetensors');
  const progress: [number, number | undefined][] = [];
  const onProgress = (done: number, total: number | undefined) => progress.push([done, total]);
  expect(await fetchManifestWeights(weights, target, { onProgress })).toBe(true);
  expect(readFileSync(target).equals(bytes)).toBe(true);
  expect(readdirSync(dirname(target))).toEqual(['x.safetensors']);
  const total = [...files].reduce((sum, [name, { length }]) => sum + (name === 'model.json' ? 0 : length), 0);
  expect(progress.at(-1)).toEqual([total, total]);
  expect(await fetchManifestWeights({ ...weights, url: 'http://127.0.0.1:9/model.json' }, target)).toBe(
    false,
  );
});

test('what was cut off goes on with what had come', async () => {
  const files = manifestFiles();
  const bytes = await expected(files);
  const target = join(temporaryDirectory(), 'x.safetensors');
  const [shard7, ...served] = [files.get('shard7')!, ...files];
  const partly = await serve(new Map(served.filter(([name]) => name !== 'shard7')));
  await expect(fetchManifestWeights(published(partly, bytes), target)).rejects.toMatchObject({
    code: 'MODEL_WEIGHTS_FETCH',
    message: `${new URL('shard7', partly)} cannot be downloaded: the server answered 404`,
  });
  const shard6 = readFileSync(`${target}.partial/shard6`);
  expect([existsSync(target), shard6.equals(files.get('shard6')!)]).toEqual([false, true]);
  writeFileSync(`${target}.partial/shard7`, shard7.subarray(0, 10));
  await fetchManifestWeights(published(await serve(files), bytes), target);
  expect(readFileSync(target).equals(bytes)).toBe(true);
});

test('other weights than published are thrown away', async () => {
  const files = manifestFiles();
  const bytes = await expected(files);
  files.get('shard3')!.writeFloatLE(0.5);
  const target = join(temporaryDirectory(), 'x.safetensors');
  await expect(fetchManifestWeights(published(await serve(files), bytes), target)).rejects.toMatchObject({
    code: 'MODEL_WEIGHTS_DIGEST',
    message: expect.stringMatching(
      /^the backbone of http\S+ has SHA-256 \w+, expected \w+; nothing was kept$/,
    ),
  });
  expect(readdirSync(dirname(target))).toEqual([]);
});

test.each([
  ['manifest', 'model.json'],
  ['shard', 'shard2'],
])('a page of the network in the place of the %s is not kept for the next call', async (_, name) => {
  const files = manifestFiles();
  const bytes = await expected(files);
  const target = join(temporaryDirectory(), 'x.safetensors');
  const page = await serve(new Map([...files, [name, Buffer.from('<html>sign in</html>')]]));
  await expect(fetchManifestWeights(published(page, bytes), target)).rejects.toMatchObject({
    code: 'MODEL_WEIGHTS_MANIFEST',
  });
  expect(readdirSync(dirname(target))).toEqual([]);
  await fetchManifestWeights(published(await serve(files), bytes), target);
  expect(readFileSync(target).equals(bytes)).toBe(true);
});

test('a server that is not there leaves nothing', async () => {
  const target = join(temporaryDirectory(), 'x.safetensors');
  const weights = published('http://127.0.0.1:9/model.json', Buffer.alloc(0));
  await expect(fetchManifestWeights(weights, target)).rejects.toMatchObject({ code: 'MODEL_WEIGHTS_FETCH' });
  expect(readdirSync(dirname(target))).toEqual([]);
});

test('a shard that lies elsewhere is refused', async () => {
  const model = { weightsManifest: [{ paths: ['../outside'], weights: [] }] };
  const url = await serve(new Map([['model.json', Buffer.from(JSON.stringify(model))]]));
  const target = join(temporaryDirectory(), 'x.safetensors');
  await expect(fetchManifestWeights(published(url, Buffer.alloc(0)), target)).rejects.toMatchObject({
    code: 'MODEL_WEIGHTS_MANIFEST',
    message: `${url} names the shard "../outside", expected a file beside it`,
  });
});

test('a place that cannot be written is named', async () => {
  const folder = temporaryDirectory();
  writeFileSync(join(folder, 'file'), '');
  const target = join(folder, 'file', 'x.safetensors');
  await expect(
    fetchManifestWeights(published('http://127.0.0.1:9/model.json', Buffer.alloc(0)), target),
  ).rejects.toMatchObject({ code: 'MODEL_WEIGHTS_WRITE', exitCode: 73 });
});

const copy = '../shared/weights/mobilenet_v1_0.25_224';
const missing = existsSync(copy) ? '' : ` (skipped: there is no ${copy})`;
test.skipIf(missing)(
  `the published digest is that of MobileNetV1 as it was published${missing}`,
  async () => {
    const url = await serve(new Map(readdirSync(copy).map((name) => [name, readFileSync(join(copy, name))])));
    const target = join(temporaryDirectory(), 'mobilenet.safetensors');
    const weights = findPublished('mobilenet_v1-0.25-imagenet1k');
    expect(await fetchManifestWeights({ ...weights, url }, target)).toBe(true);
  },
);
