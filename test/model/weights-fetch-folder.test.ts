import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { fetchPublishedFolder } from '../../src/model/weights/fetch-folder.js';
import { failure } from '../kit/failure.js';
import { temporaryDirectory } from '../run/support.js';
import { content, manifest } from './published-folder.js';

let asked: string[];
let folder: string;
beforeEach(() => {
  asked = [];
  folder = join(temporaryDirectory(), 'weights', 'cub');
});

/** Serves a folder at `/cub`, in ranges. */
async function serve(weights = content, document: object = manifest): Promise<string> {
  const files = new Map([
    ['/cub/weights.json', Buffer.from(JSON.stringify(document))],
    ['/cub/model.safetensors', weights],
  ]);
  const server = createServer((request, response) => {
    const begin = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    asked.push(`${request.url} ${begin}`);
    const file = files.get(request.url!);
    if (!file) response.writeHead(404).end();
    else response.writeHead(begin > 0 ? 206 : 200).end(file.subarray(begin));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/cub`;
}

test('a folder is fetched by its URL or that of its manifest, once', async () => {
  const url = await serve();
  expect(await fetchPublishedFolder(`${url}/`, folder)).toBe(true);
  expect(readdirSync(folder)).toEqual(['model.safetensors', 'weights.json']);
  expect(readFileSync(join(folder, 'model.safetensors'))).toEqual(content);
  expect(await fetchPublishedFolder(`${url}/weights.json`, folder)).toBe(false);
  expect(asked).toEqual(['/cub/weights.json 0', '/cub/model.safetensors 0', '/cub/weights.json 0']);
  writeFileSync(join(folder, 'weights.json'), '{}');
  await expect(fetchPublishedFolder(url, folder)).rejects.toEqual(
    failure('MODEL_WEIGHTS_EXISTS', /cub exists and differs from the published weights$/),
  );
});

test('a download goes on where an earlier one stopped, with the manifest of today', async () => {
  mkdirSync(`${folder}.partial`, { recursive: true });
  writeFileSync(join(`${folder}.partial`, 'weights.json'), 'old');
  writeFileSync(join(`${folder}.partial`, 'model.safetensors'), content.subarray(0, 3000));
  await fetchPublishedFolder(await serve(), folder);
  expect(asked).toEqual(['/cub/weights.json 0', '/cub/model.safetensors 3000']);
  expect(readFileSync(join(folder, 'model.safetensors'))).toEqual(content);
});

test('other bytes than the manifest says, more of them, and a manifest of something else are refused', async () => {
  const other = Buffer.alloc(content.length);
  await expect(fetchPublishedFolder(await serve(other), folder)).rejects.toEqual(
    failure('MODEL_WEIGHTS_DIGEST', /model\.safetensors has SHA-256 \w+, expected \w+; nothing was kept$/),
  );
  expect(existsSync(`${folder}.partial`)).toBe(false);
  const longer = Buffer.concat([content, content]);
  await expect(fetchPublishedFolder(await serve(longer), folder)).rejects.toEqual(
    failure('MODEL_WEIGHTS_FETCH', 'it has more than 5000 bytes, the most that are expected'),
  );
  expect(readdirSync(`${folder}.partial`)).toEqual(['weights.json']);
  const outside = { ...manifest, file: { ...manifest.file, name: '../../x' } };
  await expect(fetchPublishedFolder(await serve(content, outside), folder)).rejects.toEqual(
    failure('MODEL_WEIGHTS_MANIFEST', /weights\.json is not a manifest of published weights \(file\.name: /),
  );
  await expect(fetchPublishedFolder(await serve(content, {}), folder)).rejects.toEqual(
    failure('MODEL_WEIGHTS_MANIFEST', /\(format: /),
  );
  expect(existsSync(`${folder}.partial`)).toBe(false);
});

test('a page in the place of the manifest costs nothing of the weights that have come', async () => {
  mkdirSync(`${folder}.partial`, { recursive: true });
  writeFileSync(join(`${folder}.partial`, 'model.safetensors'), content.subarray(0, 3000));
  await expect(fetchPublishedFolder(await serve(content, {}), folder)).rejects.toEqual(
    failure('MODEL_WEIGHTS_MANIFEST', /\(format: /),
  );
  expect(readdirSync(`${folder}.partial`)).toEqual(['model.safetensors']);
});
