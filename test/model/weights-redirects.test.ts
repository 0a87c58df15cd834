import { existsSync, readFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { fetchPublishedFolder } from '../../src/model/weights/fetch-folder.js';
import { mayLead } from '../../src/model/weights/redirects.js';
import { failure } from '../kit/failure.js';
import { temporaryDirectory } from '../run/support.js';
import { content, manifest } from './published-folder.js';

async function serve(host: string, answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `${host}:${(server.address() as AddressInfo).port}`;
}

/**
 * A hub that keeps its manifest under another path and its weights on another host, as model hubs do.
 * @param answer what the other host answers
 */
async function hub(answer: RequestListener): Promise<{ url: string; asked: IncomingHttpHeaders[] }> {
  const asked: IncomingHttpHeaders[] = [];
  const storage = await serve('127.0.0.2', (request, response) => {
    asked.push(request.headers);
    answer(request, response);
  });
  const main = await serve('127.0.0.1', (request, response) => {
    if (request.url === '/cub/weights.json') response.writeHead(307, { location: '/kept/1.json' }).end();
    else if (request.url === '/kept/1.json') response.end(JSON.stringify(manifest));
    else {
      const location = `http://name:secret@${storage}/blobs/1?signature=x`;
      response.writeHead(302, { location }).end('Found');
    }
  });
  return { url: `http://${main}/cub`, asked };
}

/** Ends with the connection, without a length. */
const withoutLength =
  (bytes: Buffer): RequestListener =>
  (_request, response) => {
    response.useChunkedEncodingByDefault = false;
    response.writeHead(200, { connection: 'close' }).end(bytes);
  };

const newFolder = () => join(temporaryDirectory(), 'cub');

test('a folder is fetched from the places that a hub redirects to, which get no name and no password', async () => {
  const { url, asked } = await hub(withoutLength(content));
  const folder = newFolder();
  const totals = new Set<number | undefined>();
  await fetchPublishedFolder(url, folder, { onProgress: (_done, total) => totals.add(total) });
  expect(readFileSync(join(folder, 'model.safetensors'))).toEqual(content);
  expect(asked).toHaveLength(1);
  expect(asked[0]).not.toHaveProperty('authorization');
  expect([...totals]).toEqual([content.length]);
});

test('a download that ends early without having told its length goes on through the redirect', async () => {
  let times = 0;
  const { url, asked } = await hub((request, response) => {
    if (times++ === 0) withoutLength(content.subarray(0, 3000))(request, response);
    else response.writeHead(206).end(content.subarray(3000));
  });
  const folder = newFolder();
  await expect(fetchPublishedFolder(url, folder)).rejects.toEqual(
    failure(
      'MODEL_WEIGHTS_FETCH',
      /cub\/model\.safetensors cannot be downloaded: it ended after 3000 of 5000 bytes$/,
    ),
  );
  await fetchPublishedFolder(url, folder);
  expect(asked.map(({ range }) => range)).toEqual([undefined, 'bytes=3000-']);
  expect(readFileSync(join(folder, 'model.safetensors'))).toEqual(content);
});

test('other bytes from the place of a redirect are thrown away', async () => {
  const { url } = await hub(withoutLength(Buffer.alloc(content.length)));
  const folder = newFolder();
  await expect(fetchPublishedFolder(url, folder)).rejects.toEqual(
    failure('MODEL_WEIGHTS_DIGEST', /model\.safetensors has SHA-256 \w+, expected \w+; nothing was kept$/),
  );
  expect(existsSync(`${folder}.partial`)).toBe(false);
});

test.each([
  ['/cub/weights.json', 'the server redirects more than 10 times'],
  [
    'http://weights.invalid/x?signature=y',
    'the server redirects to http://weights.invalid, expected a place with https',
  ],
  ['file:///etc/hostname', 'the server redirects to file://, expected a place with https'],
  ['http://', 'the server answered 302, but named no place that is a URL'],
])('a redirect to %s ends the download with one sentence', async (location, reason) => {
  const main = await serve('127.0.0.1', (_request, response) => {
    response.writeHead(302, { location }).end();
  });
  const url = `http://${main}/cub`;
  await expect(fetchPublishedFolder(url, newFolder())).rejects.toMatchObject({
    code: 'MODEL_WEIGHTS_FETCH',
    message: `${url}/weights.json cannot be downloaded: ${reason}`,
    exitCode: 69,
  });
});

test.each([
  ['https://a.example', 'https://b.example', true],
  ['https://a.example', 'http://a.example', false],
  ['https://a.example', 'http://127.0.0.1', false],
  ['http://a.example', 'https://b.example', true],
  ['http://a.example', 'http://a.example:8080', true],
  ['http://a.example', 'http://b.example', false],
  ['http://a.example', 'http://127.0.0.1', false],
  ['http://127.0.0.1', 'ftp://127.0.0.1', false],
])('from %s to %s a server may lead: %s', (from, to, expected) => {
  expect(mayLead(new URL(from), new URL(to))).toBe(expected);
});
