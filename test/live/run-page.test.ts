import { Agent, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { CoordinatorError } from '../../src/coordinator/error.js';
import type { RunView } from '../../src/live/view.js';
import { FakePage } from '../kit/fake-page.js';
import { runView } from '../kit/run-views.js';

async function started(fake = new FakePage([runView()])): Promise<FakePage> {
  await fake.start();
  onTestFinished(() => fake.vanish());
  return fake;
}

/** A server accepts 64 connections. */
const agent = new Agent({ maxSockets: 60 });

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

/** `fetch` sends no Host and no Origin of the caller's. */
function ask(
  fake: FakePage,
  path: string,
  headers: Record<string, string> = {},
  post?: string,
): Promise<Answer> {
  const method = post === undefined ? 'GET' : 'POST';
  return new Promise((resolve, reject) => {
    const request = httpRequest(`http://${fake.address}${path}`, { method, headers, agent }, (response) => {
      let body = '';
      response.on('data', (data) => {
        body += data;
      });
      response.on('end', () => resolve({ status: response.statusCode!, body, headers: response.headers }));
    });
    request.on('error', reject);
    request.end(post);
  });
}

test('the data are the view, with an entity tag for what has not changed', async () => {
  const fake = await started();
  const first = await ask(fake, '/api/runs/cub-48bits');
  expect(JSON.parse(first.body)).toEqual(fake.views[0]);
  const etag = String(first.headers.etag);
  expect(await ask(fake, '/api/runs/cub-48bits', { 'if-none-match': etag })).toMatchObject({
    status: 304,
    body: '',
  });
  expect(JSON.parse((await ask(fake, '/api/runs')).body)).toEqual({
    server: 'coordinator',
    runs: [
      expect.objectContaining({
        run: 'cub-48bits',
        state: 'training',
        iteration: 3,
        iterations: 7,
        bits: 48,
      }),
    ],
  });
});

test('a hundred requests at once read the run once', async () => {
  const fake = await started();
  await Promise.all(Array.from({ length: 100 }, () => ask(fake, '/api/runs/cub-48bits')));
  expect(fake.reads).toBeLessThanOrEqual(3);
});

test('more than a hundred answers a second have to wait, and none is lost', async () => {
  const fake = await started();
  const begun = performance.now();
  const times = await Promise.all(
    Array.from({ length: 140 }, async () => {
      expect((await ask(fake, '/api/runs/cub-48bits')).status).toBe(200);
      return performance.now() - begun;
    }),
  );
  // Fifty at once, fifty after half a second, and the rest after another.
  expect(times.filter((ms) => ms < 480).length).toBeLessThanOrEqual(50);
  expect(times.filter((ms) => ms < 980).length).toBeLessThanOrEqual(100);
});

test('one connection that asks without waiting is refused after a while, and does no harm when it ends', async () => {
  const fake = await started();
  const port = Number(fake.address.split(':')[1]);
  const [patient, hasty] = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
  const question = `GET /api/runs/cub-48bits HTTP/1.1\r\nhost: ${fake.address}\r\n\r\n`;
  let text = '';
  patient.on('data', (data) => {
    text += data;
  });
  hasty.write(question.repeat(80), () => hasty.destroy());
  patient.write(question.repeat(300));
  await expect
    .poll(() => text, { timeout: 15_000 })
    .toContain('too many requests wait for an answer; ask less often');
  patient.destroy();
  await expect.poll(async () => (await ask(fake, '/api/runs')).status, { timeout: 10_000 }).toBe(200);
});

test.each([
  ['/api/runs/other', 404, 'there is no run "other"\n'],
  ['/api/runs/%ff', 404, 'there is no run "%ff"\n'],
  ['/api/runs/..%2f..%2fetc', 404, 'there is no run "../../etc"\n'],
  ['/api/other', 404, ''],
  ['/../package.json', 404, ''],
])('%s is answered with %i', async (path, status, body) => {
  expect(await ask(await started(), path)).toMatchObject({ status, body });
});

test('a run that cannot be read is answered with the reason', async () => {
  const fake = await started();
  Object.defineProperty(fake, 'views', {
    get: () => {
      throw new CoordinatorError('COORDINATOR_DIRECTORY_GONE', 'the run directory is gone');
    },
  });
  expect(await ask(fake, '/api/runs/cub-48bits')).toMatchObject({
    status: 503,
    body: 'the run directory is gone\n',
  });
});

test('the page comes with a policy that allows only its own code', async () => {
  const { status, headers, body } = await ask(await started(), '/');
  expect(status).toBe(200);
  expect(headers['content-security-policy']).toContain(
    "default-src 'none'; script-src 'self'; style-src 'self'",
  );
  expect(headers['content-security-policy']).not.toMatch(/unsafe|https?:|\*/);
  expect(body).not.toMatch(/<script(?![^>]*\bsrc="\/page\.js")|<style|style=|https?:/);
});

test.each([
  ['rebound.example:9464', 'the page is not served under the name "rebound.example:9464"'],
  ['localhost.example', 'the page is not served under the name "localhost.example"'],
])('the Host %s is refused', async (host, sentence) => {
  const fake = await started();
  for (const path of ['/', '/api/runs/cub-48bits', '/api/runs/cub-48bits/events']) {
    const { status, body } = await ask(fake, path, { host });
    expect([path, status, body]).toEqual([path, 403, expect.stringContaining(sentence)]);
  }
});

test.each(['localhost:1', '127.0.0.1', '[::1]:9464', '10.1.2.3:80', 'runs.localhost', 'Runs.Example'])(
  'the Host %s is served',
  async (host) => {
    const fake = await started(new FakePage([runView()], 'coordinator', ['runs.example']));
    expect(await ask(fake, '/api/runs', { host })).toMatchObject({ status: 200 });
  },
);

test.each([
  [{ origin: 'http://elsewhere.example' }, 'the request comes from "http://elsewhere.example"'],
  [{ origin: 'null' }, 'the request comes from "null"'],
  [{ 'sec-fetch-site': 'same-site' }, 'the request comes from another site ("same-site")'],
  [{ 'sec-fetch-site': 'unknown' }, 'the request comes from another site ("unknown")'],
])('a request of another origin is refused: %j', async (headers, sentence) => {
  const fake = await started();
  fake.door = { token: 't', handler: async () => ({ ok: true, run: 'x', term: 1 }) };
  for (const post of [undefined, '{}']) {
    const path = `/api/runs/cub-48bits${post ? '/control' : ''}`;
    expect(await ask(fake, path, headers as unknown as Record<string, string>, post)).toMatchObject({
      status: 403,
      body: expect.stringContaining(sentence),
    });
  }
});

test('control is refused without permission, without a token, with another token and for what is no request', async () => {
  const fake = await started();
  const json = { 'content-type': 'application/json' };
  const control = (headers: Record<string, string>, body = '{"command":"pause"}') =>
    ask(fake, '/api/runs/cub-48bits/control', headers, body);
  const refused = (code: string, message: string) =>
    expect.stringContaining(JSON.stringify({ ok: false, code, message }));
  expect(await control(json)).toMatchObject({
    status: 403,
    body: refused(
      'CONTROL_READ_ONLY',
      'this page only shows the run; the page of a coordinator may control it with spec.operation.monitor.control=true',
    ),
  });
  const asked: unknown[] = [];
  fake.door = {
    token: 'right',
    handler: async (request) => {
      asked.push(request);
      return { ok: true, run: 'cub-48bits', term: 1 };
    },
  };
  expect(await control({ 'content-type': 'text/plain', authorization: 'Bearer right' })).toMatchObject({
    status: 415,
    body: refused('CONTROL_NO_JSON', 'the control request must have the content type application/json'),
  });
  expect(await control(json)).toMatchObject({
    status: 401,
    body: refused(
      'CONTROL_TOKEN_MISSING',
      'the control request has no token, but needs the one in the file control-token of the run directory',
    ),
  });
  expect(await control({ ...json, authorization: 'Bearer wrong' })).toMatchObject({
    status: 401,
    body: refused(
      'CONTROL_TOKEN_WRONG',
      'the control request has another token, expected the one in the file control-token of the run directory',
    ),
  });
  const allowed = { ...json, authorization: 'Bearer right' };
  expect(await control(allowed, '{"command":"reboot"}')).toMatchObject({
    status: 409,
    body: expect.stringContaining('expected JSON with a known command'),
  });
  expect(await control(allowed, ' '.repeat(5_000))).toMatchObject({
    status: 409,
    body: expect.stringContaining('the request has more than 4096 bytes'),
  });
  expect(asked).toEqual([]);
  expect(await control(allowed)).toMatchObject({ status: 200 });
  expect(asked).toEqual([{ command: 'pause' }]);
  expect(await ask(fake, '/api/runs/cub-48bits/control', allowed)).toMatchObject({ status: 404 });
});

/** Events of a stream, by their names, until it ends. */
class Stream {
  readonly events: { name: string; data: string }[] = [];
  /** Its status; 0 when there is no answer. */
  readonly answered: Promise<number>;
  readonly ended: Promise<void>;
  readonly request;
  private text = '';

  constructor(fake: FakePage) {
    let ended = () => {};
    this.ended = new Promise((resolve) => {
      ended = resolve;
    });
    let answered = (_: number) => {};
    this.answered = new Promise((resolve) => {
      answered = resolve;
    });
    this.request = httpRequest(`http://${fake.address}/api/runs/cub-48bits/events`, (response) => {
      answered(response.statusCode!);
      response.on('data', (data) => this.take(String(data)));
      response.on('close', ended);
    }).end();
    this.request.on('error', () => {
      answered(0);
      ended();
    });
  }

  private take(data: string): void {
    this.text += data;
    const blocks = this.text.split('\n\n');
    this.text = blocks.pop()!;
    for (const block of blocks) {
      const [, name] = /^event: (.*)$/m.exec(block) ?? [];
      if (name) this.events.push({ name, data: /^data: (.*)$/m.exec(block)![1]! });
    }
  }
}

test('a stream gets the run at once, then what changes, a beat where nothing does, and the last state', async () => {
  const fake = await started();
  const stream = new Stream(fake);
  const globalStepOf = ({ data }: { data: string }) => (JSON.parse(data) as RunView).seconds;
  await expect.poll(() => stream.events.map(({ name }) => name), { timeout: 900 }).toEqual(['run']);
  await expect
    .poll(() => stream.events.map(({ name }) => name), { timeout: 10_000 })
    .toEqual(['run', 'beat']);
  expect(Math.abs(Number(stream.events[1]!.data) - Date.now())).toBeLessThan(5_000);
  fake.views = [runView({ seconds: 700 })];
  await expect.poll(() => stream.events.length, { timeout: 10_000 }).toBe(3);
  fake.views = [runView({ seconds: 800, state: 'finished' })];
  await fake.close();
  await stream.ended;
  expect(stream.events.filter(({ name }) => name === 'run').map(globalStepOf)).toEqual([615, 700, 800]);
});

test('the seventeenth stream is refused, and one that ends makes room', async () => {
  const fake = await started();
  const streams = Array.from({ length: 16 }, () => new Stream(fake));
  await expect.poll(() => streams.every(({ events }) => events.length > 0), { timeout: 10_000 }).toBe(true);
  expect(await ask(fake, '/api/runs/cub-48bits/events')).toMatchObject({
    status: 503,
    body: '16 pages are open already, and no more are updated at once\n',
  });
  streams[0]!.request.destroy();
  await expect
    .poll(
      async () => {
        // One that is answered late must not be given up: it would keep the place.
        return new Stream(fake).answered;
      },
      { timeout: 10_000 },
    )
    .toBe(200);
});
