import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { findPublished, type PublishedWeights, publishedWeights } from '../../src/model/weights/catalogue.js';
import { fetchWeights } from '../../src/model/weights/fetch.js';
import { ConnectProxy, proxyVariables } from '../kit/connect-proxy.js';
import { temporaryDirectory } from '../run/support.js';

const content = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7) & 255));
const sha256 = createHash('sha256').update(content).digest('hex');

function published(url: string): PublishedWeights {
  return { name: 'x', url, sha256, backbone: 'resnet18', width: 1, file: 'x.pth' };
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** Serves `answers`, the last one again and again; `ranges` are the ranges that were asked for. */
async function serve(...answers: Answer[]): Promise<{ url: string; ranges: (string | undefined)[] }> {
  const ranges: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    const answer = answers[Math.min(ranges.length, answers.length - 1)]!;
    ranges.push(request.headers.range);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/weights.pth`, ranges };
}

/** The whole file, or from where it was asked for. */
const whole: Answer = (request, response) => {
  const begin = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  if (begin >= content.length) {
    response.writeHead(416).end();
    return;
  }
  response
    .writeHead(begin > 0 ? 206 : 200, { 'content-length': content.length - begin })
    .end(content.subarray(begin));
};

/** Breaks the connection after 40,000 bytes. */
const cut: Answer = (_request, response) => {
  response.writeHead(200, { 'content-length': content.length });
  // Not at once: what the reader has not taken by then is lost with the connection.
  response.write(content.subarray(0, 40_000), () => setTimeout(() => response.destroy(), 500));
};

const path = () => join(temporaryDirectory(), 'deeper', 'weights.pth');

test('a download gets its name when it is whole, and is not repeated', async () => {
  const target = path();
  const { url, ranges } = await serve(whole);
  const progress: [number, number | undefined][] = [];
  const fetched = await fetchWeights(published(url), target, {
    onProgress: (done, total) => progress.push([done, total]),
  });
  expect(fetched).toBe(true);
  expect(readFileSync(target).equals(content)).toBe(true);
  expect(existsSync(`${target}.partial`)).toBe(false);
  expect(progress.at(-1)).toEqual([100_000, 100_000]);
  expect(await fetchWeights(published(url), target)).toBe(false);
  expect(ranges).toHaveLength(1);
});

test('a connection that breaks leaves what came, and the next call goes on from there', async () => {
  const target = path();
  const { url, ranges } = await serve(cut, whole);
  await expect(fetchWeights(published(url), target)).rejects.toMatchObject({
    code: 'MODEL_WEIGHTS_FETCH',
    exitCode: 69,
    message: expect.stringMatching(/^http.*weights\.pth cannot be downloaded: [^\n]+$/),
  });
  expect(existsSync(target)).toBe(false);
  await fetchWeights(published(url), target);
  expect(readFileSync(target).equals(content)).toBe(true);
  expect(ranges[1]).toMatch(/^bytes=[1-9]\d*-$/);
});

/** Sends the first half, and the rest when `goOn` is called. */
function halting() {
  const events = new EventEmitter();
  const begun = once(events, 'begun');
  const answer: Answer = (_request, response) => {
    response.writeHead(200, { 'content-length': content.length });
    response.write(content.subarray(0, 50_000), () => events.emit('begun'));
    events.once('rest', () => response.end(content.subarray(50_000)));
  };
  return { answer, begun, goOn: () => events.emit('rest') };
}

test('a second download to the same place is refused while the first goes on (RUN_LOCKED)', async () => {
  const target = path();
  const { answer, begun, goOn } = halting();
  const { url, ranges } = await serve(answer);
  const first = fetchWeights(published(url), target);
  await begun;
  await expect(fetchWeights(published(url), target)).rejects.toMatchObject({
    code: 'RUN_LOCKED',
    exitCode: 73,
    message: expect.stringContaining(`${target} is in use by process ${process.pid} on `),
  });
  goOn();
  expect(await first).toBe(true);
  expect([readdirSync(dirname(target)), ranges.length]).toEqual([['weights.pth'], 1]);
  expect(readFileSync(target).equals(content)).toBe(true);
});

test('a download that is interrupted keeps what came (MODEL_WEIGHTS_INTERRUPTED)', async () => {
  const target = path();
  const { answer, begun, goOn } = halting();
  const { url } = await serve(answer, whole);
  const leave = new AbortController();
  const onProgress = () => leave.abort();
  const interrupted = fetchWeights(published(url), target, { onProgress, signal: leave.signal });
  await expect(interrupted).rejects.toMatchObject({
    code: 'MODEL_WEIGHTS_INTERRUPTED',
    exitCode: 75,
    message: `the download of ${url} was interrupted; the same command goes on`,
  });
  await begun;
  goOn();
  expect(readdirSync(dirname(target))).toEqual(['weights.pth.partial']);
  await fetchWeights(published(url), target);
  expect(readFileSync(target).equals(content)).toBe(true);
});

test('a server that cannot go on is asked for all of it', async () => {
  const target = path();
  const { url } = await serve(cut, (_request, response) => {
    response.writeHead(200, { 'content-length': content.length }).end(content);
  });
  await expect(fetchWeights(published(url), target)).rejects.toMatchObject({
    code: 'MODEL_WEIGHTS_FETCH',
  });
  await fetchWeights(published(url), target);
  expect(readFileSync(target).equals(content)).toBe(true);
});

test('what is whole already but unnamed needs no more bytes', async () => {
  const target = join(temporaryDirectory(), 'weights.pth');
  writeFileSync(`${target}.partial`, content);
  const { url } = await serve(whole);
  await fetchWeights(published(url), target);
  expect(readFileSync(target).equals(content)).toBe(true);
});

test('other bytes than published are thrown away', async () => {
  const target = path();
  const { url } = await serve((_request, response) => void response.end('something else'));
  await expect(fetchWeights(published(url), target)).rejects.toMatchObject({
    code: 'MODEL_WEIGHTS_DIGEST',
    message: expect.stringContaining(`expected ${sha256}; nothing was kept`),
  });
  expect([existsSync(target), existsSync(`${target}.partial`)]).toEqual([false, false]);
});

test('a refusal names the status', async () => {
  const { url } = await serve((_request, response) => void response.writeHead(404).end());
  await expect(fetchWeights(published(url), path())).rejects.toMatchObject({
    code: 'MODEL_WEIGHTS_FETCH',
    message: `${url} cannot be downloaded: the server answered 404`,
  });
});

test('a server that is not there is named', async () => {
  const url = 'http://127.0.0.1:9/weights.pth';
  await expect(fetchWeights(published(url), path())).rejects.toMatchObject({
    code: 'MODEL_WEIGHTS_FETCH',
    message: expect.stringMatching(
      /^http:\/\/127\.0\.0\.1:9\/weights\.pth cannot be downloaded: [^\n]+; set https_proxy if this network has a proxy, or run the same command on another machine and copy \S+ from there$/,
    ),
  });
});

test('a file of another content is not overwritten', async () => {
  const target = join(temporaryDirectory(), 'weights.pth');
  writeFileSync(target, 'mine');
  const { url, ranges } = await serve(whole);
  await expect(fetchWeights(published(url), target)).rejects.toMatchObject({
    code: 'MODEL_WEIGHTS_EXISTS',
    exitCode: 73,
  });
  expect(readFileSync(target, 'utf8')).toBe('mine');
  expect(ranges).toHaveLength(0);
});

test.each([
  ['folder', (path: string) => mkdirSync(path)],
  ['named pipe', (path: string) => void execFileSync('mkfifo', [path])],
])('a %s in the place of the file is refused, not read', async (_, make) => {
  const target = join(temporaryDirectory(), 'weights.pth');
  make(target);
  const { url } = await serve(whole);
  await expect(fetchWeights(published(url), target)).rejects.toMatchObject({
    code: 'MODEL_WEIGHTS_EXISTS',
    message: `${target} exists and differs from the published weights`,
  });
});

test('the digests agree with the names that torchvision checks by', () => {
  for (const { url, sha256: digest } of publishedWeights) {
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    if (url.startsWith('https://download.pytorch.org/'))
      expect(url).toMatch(new RegExp(`-${digest.slice(0, 8)}\\.pth$`));
  }
  expect(() => findPublished('resnet51')).toThrow(
    expect.objectContaining({
      code: 'MODEL_WEIGHTS_NAME',
      message: expect.stringMatching(/^there are no published weights "resnet51", expected one of /),
    }),
  );
});

test('a place that cannot be written is named before anything is asked for', async () => {
  const file = join(temporaryDirectory(), 'file');
  writeFileSync(file, '');
  const target = join(file, 'weights.pth');
  const { url, ranges } = await serve(whole);
  await expect(fetchWeights(published(url), target)).rejects.toMatchObject({
    code: 'MODEL_WEIGHTS_WRITE',
    exitCode: 73,
    message: `${target} cannot be written (ENOTDIR)`,
  });
  expect(ranges).toHaveLength(0);
});

/** The environment of a machine that reaches the world through a proxy alone. */
async function behindProxy(
  places: Readonly<Record<string, string | null>>,
  noProxy = '',
): Promise<ConnectProxy> {
  const proxy = await ConnectProxy.open(places);
  onTestFinished(() => proxy.close());
  const variables = { ...proxyVariables(proxy.address), no_proxy: noProxy, NO_PROXY: noProxy };
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
  return proxy;
}

test('the proxy that the environment names is asked, but not for hosts of no_proxy', async () => {
  const { url, ranges } = await serve(whole);
  const place = new URL(url).host;
  const proxy = await behindProxy({ 'weights.invalid:80': place }, '127.0.0.1');
  const target = path();
  await fetchWeights(published('http://weights.invalid/weights.pth'), target);
  expect(readFileSync(target).equals(content)).toBe(true);
  expect(proxy.asked).toEqual(['weights.invalid:80']);
  await fetchWeights(published(url), path());
  expect(ranges).toHaveLength(2);
  expect(proxy.asked).toHaveLength(1);
});

test('https goes through a tunnel of the proxy, and what the proxy refuses is said', async () => {
  const proxy = await behindProxy({ 'weights.invalid:443': null });
  const url = 'https://weights.invalid/weights.pth';
  await expect(fetchWeights(published(url), path())).rejects.toMatchObject({
    code: 'MODEL_WEIGHTS_FETCH',
    message: expect.stringContaining(
      `${url} cannot be downloaded: Proxy response (403) !== 200 when HTTP Tunneling (through the proxy of https_proxy); set https_proxy`,
    ),
  });
  expect(proxy.asked).toEqual(['weights.invalid:443']);
});

test('a proxy that is no URL is named', async () => {
  vi.stubEnv('https_proxy', 'proxy.example:3128');
  onTestFinished(() => void vi.unstubAllEnvs());
  const url = 'https://weights.invalid/weights.pth';
  await expect(fetchWeights(published(url), path())).rejects.toMatchObject({
    code: 'MODEL_WEIGHTS_FETCH',
    message: `${url} cannot be downloaded: https_proxy or http_proxy is not a URL, expected one such as http://proxy.example:3128`,
  });
});
