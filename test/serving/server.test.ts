import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request as plainRequest } from 'node:http';
import { get } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest';
import { DatasetError } from '../../src/data/error.js';
import type { Encoder, PictureSource } from '../../src/inference/encoder.js';
import type { Picture } from '../../src/inference/picture-pixels.js';
import type { Database } from '../../src/search/database.js';
import { Searcher } from '../../src/search/searcher.js';
import { requireProtection } from '../../src/serving/guard.js';
import { defaultLimits, type ServingLimits } from '../../src/serving/limits.js';
import { ServingMetrics } from '../../src/serving/metrics.js';
import { Places } from '../../src/serving/places.js';
import { SearchService } from '../../src/serving/search-service.js';
import { SearchServer } from '../../src/serving/server.js';
import { makeCertificates, tlsFilesIn } from '../../src/transport/certificates.js';
import { readTlsFiles, type TlsMaterial } from '../../src/transport/tls-files.js';
import { jpegPicture } from '../data/pictures.js';
import { browserMissing, faultsOf, startBrowser } from '../kit/browser.js';
import { failure } from '../kit/failure.js';

let folder: string;
let server: SearchServer | null = null;
const said: string[] = [];
const log = {
  info: () => {},
  warn: () => {},
  error: (_: string, fields?: object) => void said.push(JSON.stringify(fields)),
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fcaenet-serve-'));
  await writeFile(join(folder, 'a.jpg'), await jpegPicture(1));
});
afterEach(async () => {
  await server?.close(0);
  server = null;
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const database: Database = {
  codes: Uint32Array.of(0b0111, 0b0001, 0b0011, 0xfff),
  size: 4,
  bits: 12,
  picture: (row) => ({
    path: `${row}.jpg`,
    className: row === 3 ? null : 'owl',
    file: row === 3 ? null : join(folder, row === 0 ? 'a.jpg' : 'missing.jpg'),
  }),
};

/** Gives the code 1 to every picture; a text says what else happens. */
class FakeEncoder implements Encoder {
  readonly requests = 2;
  waiting: (() => void)[] = [];
  async encode(sources: readonly PictureSource[]) {
    const text = (sources[0] as Picture).bytes.toString();
    if (text === 'wait') await new Promise<void>((resume) => this.waiting.push(resume));
    if (text === 'no picture') throw new DatasetError('DATASET_IMAGE_DAMAGED', 'cannot be decoded');
    if (text === 'bomb') throw new DatasetError('DATASET_IMAGE_TOO_LARGE', 'has 1 × 1 pixels');
    if (text === 'bug') throw new TypeError('/secret/path is undefined');
    return Uint32Array.of(0b0001);
  }
  async close() {}
}

interface Started {
  readonly token?: string;
  readonly limits?: Partial<ServingLimits>;
  readonly most?: number;
  readonly tls?: TlsMaterial;
}

async function start(options: Started = {}) {
  const limits = { ...defaultLimits, ...options.limits };
  const encoder = new FakeEncoder();
  const searcher = new Searcher(database);
  const places = new Places({ most: options.most ?? 18, perClient: limits.perClient });
  const metrics = new ServingMetrics(searcher, places);
  server = await SearchServer.listen(
    { host: '127.0.0.1', port: 0 },
    {
      ...{ metrics, places, limits, bits: 12, token: options.token ?? null, tls: options.tls ?? null, log },
      service: new SearchService(encoder, searcher, 'term-1', metrics),
      thumbnailPlaces: new Places({ most: 9, perClient: 9 }),
      isReady: () => true,
    },
  );
  return { url: server.url, encoder };
}

const post = (url: string, body: string, headers: Record<string, string> = {}) =>
  fetch(url, { method: 'POST', body, headers: { 'content-type': 'application/octet-stream', ...headers } });
const answerOf = async (response: Response) => [response.status, await response.json()];

/** Sends what `fetch` would not send; the answer is the status. */
function statusOf(url: string, headers: Record<string, string>, body = ''): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = plainRequest(`${url}/v1/search`, { method: 'POST', headers }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

test('a picture is answered with its code and the nearest pictures, and so is its code', async () => {
  const { url } = await start();
  const found = {
    code: '0100',
    bits: 12,
    checkpoint: 'term-1',
    nearest: [
      { row: 1, distance: 0, path: '1.jpg', class: 'owl', thumbnail: '/v1/pictures/1' },
      { row: 2, distance: 1, path: '2.jpg', class: 'owl', thumbnail: '/v1/pictures/2' },
    ],
  };
  expect(await answerOf(await post(`${url}/v1/search?top=2`, 'a picture'))).toEqual([200, found]);
  const code = await post(`${url}/v1/search`, '{"code":"0100","top":2}', {
    'content-type': 'application/json',
  });
  expect(await answerOf(code)).toEqual([200, found]);
});

test('small pictures are of rows; their answer has no path', async () => {
  const { url } = await start();
  const picture = await fetch(`${url}/v1/pictures/0`);
  expect([picture.status, picture.headers.get('content-type')]).toEqual([200, 'image/jpeg']);
  expect(Buffer.from(await picture.arrayBuffer()).readUInt16BE(0)).toBe(0xffd8);
  const messages = ['4', '-1', '1e0', '..%2Fa.jpg', '1', '3'].map(async (row) =>
    answerOf(await fetch(`${url}/v1/pictures/${row}`)),
  );
  expect(await Promise.all(messages)).toEqual([
    [404, { reason: 'unknown', message: 'there is no row "4", expected one of 0 to 3' }],
    [404, { reason: 'unknown', message: 'there is no row "-1", expected one of 0 to 3' }],
    [404, { reason: 'unknown', message: 'there is no row "1e0", expected one of 0 to 3' }],
    [404, { reason: 'unknown', message: 'there is no row "..%2Fa.jpg", expected one of 0 to 3' }],
    [404, { reason: 'unknown', message: 'the picture of row 1 cannot be read' }],
    [404, { reason: 'unknown', message: 'this database has no folder of pictures; --data names it' }],
  ]);
});

test.each([
  ['?top=0', 'x', {}, 'top is "0", expected a whole number from 1 to 1000'],
  ['?top=1.5', 'x', {}, 'top is "1.5", expected a whole number from 1 to 1000'],
  ['?top=3&top=4', 'x', {}, 'top is there 2 times, expected it once'],
  ['?file=/etc/passwd', 'x', {}, 'there is no parameter "file", expected top'],
  ['', '', {}, 'the body is empty, expected a picture, or JSON with a code'],
  ['', '{"code":', { 'content-type': 'application/json' }, 'the body is "{\\"code\\":", expected JSON'],
  [
    ...['', '{"code":"zz"}', { 'content-type': 'application/json' }],
    'the field "code" is "zz" (expected hexadecimal digits), expected {"code": "…", "top": 10}',
  ],
  [
    ...['', '{"code":"0102","top":1.5}', { 'content-type': 'application/json' }],
    'the field "top" is 1.5 (Invalid input: expected int, received number), expected {"code": "…", "top": 10}',
  ],
  [
    ...['', `{"code":${'['.repeat(20_000)}${']'.repeat(20_000)}}`, { 'content-type': 'application/json' }],
    'the field "code" is a list (Invalid input: expected string, received array), expected {"code": "…", "top": 10}',
  ],
  [
    ...['', '{"code":"010203"}', { 'content-type': 'application/json' }],
    'the code has 6 hexadecimal digits, but codes have 12 bits, expected 4 digits',
  ],
] as [string, string, Record<string, string>, string][])(
  '%s %s is refused',
  async (query, body, headers, message) => {
    const { url } = await start();
    expect(await answerOf(await post(`${url}/v1/search${query}`, body, headers))).toEqual([
      400,
      { reason: 'bad_request', message },
    ]);
  },
);

test('what is no picture, too many pixels, and a failure of which the client learns nothing', async () => {
  const { url } = await start();
  expect(await answerOf(await post(`${url}/v1/search`, 'no picture'))).toEqual([
    415,
    { reason: 'not_a_picture', message: 'cannot be decoded' },
  ]);
  const zipped = await post(`${url}/v1/search`, 'a picture', { 'content-encoding': 'gzip' });
  expect(await answerOf(zipped)).toEqual([
    415,
    {
      reason: 'content_encoding',
      message: 'the body has the content encoding "gzip", expected it as it is, without a Content-Encoding',
    },
  ]);
  expect((await post(`${url}/v1/search`, 'x', { 'content-encoding': 'identity' })).status).toBe(200);
  expect((await post(`${url}/v1/search`, 'bomb')).status).toBe(413);
  expect(await answerOf(await post(`${url}/v1/search`, 'bug'))).toEqual([
    500,
    { reason: 'internal', message: 'the server failed' },
  ]);
  expect(said.at(-1)).toContain('/secret/path');
});

test('an upload of a gigabyte is refused before it is sent, announced or not', async () => {
  const { url } = await start({ limits: { uploadBytes: 1000 } });
  expect(await statusOf(url, { 'content-length': String(2 ** 30), expect: '100-continue' })).toBe(413);
  expect(await statusOf(url, { 'content-length': String(2 ** 30) }, 'x')).toBe(413);
  expect(await statusOf(url, { 'transfer-encoding': 'chunked' }, 'x'.repeat(100_000))).toBe(413);
  expect((await post(`${url}/v1/search`, 'x'.repeat(1000))).status).toBe(200);
});

test('pages of other origins and names of other hosts are refused', async () => {
  const { url } = await start();
  const { host } = new URL(url);
  const body = 'x';
  expect(await statusOf(url, { origin: url }, body)).toBe(200);
  expect(await statusOf(url, { origin: 'https://evil.example' }, body)).toBe(403);
  expect(await statusOf(url, { origin: 'null' }, body)).toBe(403);
  // A browser writes the host in lower case.
  expect(await statusOf(url, { origin: 'http://localhost', host: 'LOCALHOST' }, body)).toBe(403);
  for (const [site, status] of [
    ['same-origin', 200],
    ['none', 200],
    ['same-site', 403],
    ['cross-site', 403],
    ['unknown', 403],
  ] as const) {
    expect([site, await statusOf(url, { 'sec-fetch-site': site }, body)]).toEqual([site, status]);
  }
  expect(await statusOf(url, { host: 'evil.example' }, body)).toBe(403);
  expect(await statusOf(url, { host: host.replace('127.0.0.1', 'localhost') }, body)).toBe(200);
});

test('with a token, searches and pictures need it; health and metrics do not', async () => {
  const { url } = await start({ token: 'a-token-of-many-letters' });
  expect(await answerOf(await post(`${url}/v1/search`, 'x'))).toEqual([
    401,
    {
      reason: 'unauthorized',
      message: 'there is no token, expected the header "Authorization: Bearer TOKEN"',
    },
  ]);
  expect(await statusOf(url, { authorization: 'Bearer wrong' }, 'x')).toBe(401);
  expect(
    await statusOf(url, { authorization: 'Bearer a-token-of-many-letters', host: 'search.example' }, 'x'),
  ).toBe(200);
  expect((await fetch(`${url}/v1/pictures/0`)).status).toBe(401);
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
});

test('with a certificate it answers by TLS', async () => {
  const directory = join(folder, 'certs');
  await makeCertificates({ directory, names: [], days: 1, nowMs: Date.now() });
  const tls = readTlsFiles(tlsFilesIn(directory, 'coordinator'));
  const { url } = await start({ tls });
  expect(url).toMatch(/^https:/);
  const status = await new Promise((resolve, reject) => {
    get(`${url}/readyz`, { ca: tls.authority }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on('error', reject);
  });
  expect(status).toBe(200);
});

test('too many searches of one address, and of all', async () => {
  const { url, encoder } = await start({ limits: { perClient: 2 } });
  const held = [post(`${url}/v1/search`, 'wait'), post(`${url}/v1/search`, 'wait')];
  await expect.poll(() => encoder.waiting.length).toBe(2);
  const refused = await post(`${url}/v1/search`, 'x');
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
  for (const resume of encoder.waiting) resume();
  expect((await Promise.all(held)).map(({ status }) => status)).toEqual([200, 200]);
  expect((await post(`${url}/v1/search`, 'x')).status).toBe(200);
  await server!.close(0);
  const full = await start({ most: 1 });
  const one = post(`${full.url}/v1/search`, 'wait');
  await expect.poll(() => full.encoder.waiting.length).toBe(1);
  expect(await answerOf(await post(`${full.url}/v1/search`, 'x'))).toEqual([
    503,
    { reason: 'queue_full', message: 'the server has 1 of at most 1 requests; try again later' },
  ]);
  full.encoder.waiting[0]!();
  await one;
});

test('a client that sends too slowly is disconnected, and its place is free again', async () => {
  const { url } = await start({ limits: { requestMs: 300 }, most: 1 });
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  socket.write(`POST /v1/search HTTP/1.1\r\nhost: ${hostname}:${port}\r\ncontent-length: 100\r\n\r\nx`);
  await expect.poll(async () => (await post(`${url}/v1/search`, 'x')).status, { timeout: 5000 }).toBe(503);
  await expect.poll(async () => (await post(`${url}/v1/search`, 'x')).status, { timeout: 10_000 }).toBe(200);
  socket.destroy();
});

test('page, document, health and metrics; other paths and methods have a sentence', async () => {
  const { url } = await start();
  const page = await fetch(`${url}/`);
  expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'self';/);
  expect(await page.text()).not.toMatch(/<script>|style="|https?:/);
  for (const file of ['page.js', 'page.css', 'healthz', 'readyz']) {
    expect((await fetch(`${url}/${file}`)).status).toBe(200);
  }
  await post(`${url}/v1/search`, 'x');
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as { openapi: string; paths: object };
  expect([document.openapi, Object.keys(document.paths)]).toEqual([
    '3.1.0',
    ['/v1/search', '/v1/pictures/{row}', '/healthz', '/readyz', '/metrics'],
  ]);
  expect(await answerOf(await fetch(`${url}/etc/passwd`))).toEqual([
    404,
    { reason: 'unknown', message: 'there is no "/etc/passwd"; /openapi.json lists what there is' },
  ]);
  const wrong = await fetch(`${url}/v1/search`);
  expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'POST']);
  const metrics = await (await fetch(`${url}/metrics`)).text();
  expect(metrics).toContain('fcaenet_serve_requests_total{route="/v1/search",status="200"} 1');
  expect(metrics).toContain('fcaenet_serve_requests_total{route="other",status="404"} 1');
  expect(metrics).toContain('fcaenet_serve_refused_total{reason="method"} 1');
  expect(metrics).toContain('fcaenet_serve_database_codes 4');
});

test('beyond loopback a token is needed, and TLS or a word for a proxy', () => {
  const none = { token: null, hasTls: false, plainText: false };
  expect(() => requireProtection('127.0.0.1', '127.0.0.1:80', none)).not.toThrow();
  expect(() => requireProtection('0.0.0.0', '0.0.0.0:80', { ...none, hasTls: true })).toThrow(
    failure(
      'SERVING_TOKEN_MISSING',
      /^--listen is 0\.0\.0\.0:80, which other machines may reach, but there is no --token-file;/,
    ),
  );
  expect(() => requireProtection('0.0.0.0', '0.0.0.0:80', { ...none, token: 'x' })).toThrow(
    failure(
      'SERVING_PLAIN_TEXT_REFUSED',
      /but there are no --tls-certificate and --tls-key; behind a proxy that has TLS, add/,
    ),
  );
  expect(() =>
    requireProtection('0.0.0.0', 'x', { token: 'x', hasTls: false, plainText: true }),
  ).not.toThrow();
});

test.skipIf(browserMissing)(`a page takes a picture that is dropped on it${browserMissing}`, async () => {
  const { url } = await start();
  const browser = await startBrowser();
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  const faults = faultsOf(page);
  await page.goto(url);
  const drop = async (name: string | null, text = '') => {
    const item = name === null ? `'a sentence', 'text/plain'` : `new File(['${text}'], '${name}')`;
    const dataTransfer = await page.evaluateHandle(
      `(() => { const transfer = new DataTransfer(); transfer.items.add(${item}); return transfer; })()`,
    );
    await page.dispatchEvent('#drop', 'drop', { dataTransfer });
  };
  await drop('owl.jpg', 'a picture');
  await page.getByText('Nearest pictures: 4. Code 0100, 12 bits.').waitFor();
  expect(await page.locator('#found li').count()).toBe(4);
  expect(await page.getByLabel('Drop a picture here').inputValue()).toMatch(/owl\.jpg$/);
  await drop('notes.txt', 'no picture');
  await page.getByText('Refused: cannot be decoded.').waitFor();
  await drop(null);
  await page.getByText('What was dropped is no file.').waitFor();
  expect(faults).toEqual([]);
});

test('a port that is in use', async () => {
  const { url } = await start();
  const first = server!;
  const port = Number(new URL(url).port);
  const searcher = new Searcher(database);
  const places = new Places({ most: 1, perClient: 1 });
  const metrics = new ServingMetrics(searcher, places);
  await expect(
    SearchServer.listen(
      { host: '127.0.0.1', port },
      {
        ...{ metrics, places, limits: defaultLimits, bits: 12, token: null, tls: null, log },
        service: new SearchService(new FakeEncoder(), searcher, 'c', metrics),
        thumbnailPlaces: places,
        isReady: () => true,
      },
    ),
  ).rejects.toEqual(
    failure(
      'SERVING_CANNOT_LISTEN',
      /^the server cannot listen on 127\.0\.0\.1:\d+ \(EADDRINUSE\); choose another/,
    ),
  );
  server = first;
});
