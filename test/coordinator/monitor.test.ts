import { createServer, request } from 'node:http';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { RunMetrics } from '../../src/coordinator/monitoring/metrics/run-metrics.js';
import { MonitorServer } from '../../src/coordinator/monitoring/monitor-server.js';
import { RunPage } from '../../src/live/serve/run-page.js';
import { summaryOf } from '../../src/live/summary.js';
import { runView } from '../kit/run-views.js';
import { MetricsWorld } from './metrics-sources.js';

async function start(address = '127.0.0.1:0') {
  const world = { notReady: null as string | null };
  const { registry } = new RunMetrics(new MetricsWorld().sources);
  const page = new RunPage(
    {
      list: async () => ({ runs: [summaryOf(runView())], server: 'coordinator' }),
      view: async (name) => (name === 'cub-48bits' ? runView() : null),
      door: () => null,
    },
    [],
  );
  const monitor = await MonitorServer.start({ address, registry, notReady: () => world.notReady, page });
  onTestFinished(() => monitor.close());
  const get = (path: string, init?: RequestInit) => fetch(`http://${monitor.address}${path}`, init);
  return { world, monitor, get };
}

test('/metrics is in the text format of Prometheus', async () => {
  const { get } = await start();
  const response = await get('/metrics');
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  expect(await response.text()).toContain('# TYPE fcaenet_step gauge\nfcaenet_step{run="birds"} 0\n');
});

test('two runs in one process do not share a registry', async () => {
  await start();
  await start();
});

test('/healthz answers always, /readyz with the reason why not', async () => {
  const { world, get } = await start();
  expect((await get('/readyz')).status).toBe(200);
  world.notReady = 'no worker is ready';
  const response = await get('/readyz');
  expect([response.status, await response.text()]).toEqual([503, 'no worker is ready\n']);
  expect((await get('/healthz')).status).toBe(200);
});

test('the page of the run and its data are there too', async () => {
  const { get } = await start();
  expect(await (await get('/')).text()).toContain('<script type="module"');
  expect(await (await get('/api/runs/cub-48bits')).json()).toMatchObject({
    run: 'cub-48bits',
    state: 'training',
  });
});

test('the metrics are served under any name, as they are scraped by that of a service', async () => {
  const { monitor } = await start();
  const statusOf = (path: string) =>
    new Promise((resolve) => {
      const headers = { host: 'coordinator.birds.svc:9464' };
      request(`http://${monitor.address}${path}`, { headers }, ({ statusCode }) => resolve(statusCode)).end();
    });
  expect([await statusOf('/metrics'), await statusOf('/')]).toEqual([200, 403]);
});

test('other paths and methods are refused', async () => {
  const { get } = await start();
  expect((await get('/other')).status).toBe(404);
  expect((await get('/metrics', { method: 'POST', body: 'x' })).status).toBe(405);
  const head = await get('/healthz?a=b', { method: 'HEAD' });
  expect([head.status, await head.text()]).toEqual([200, '']);
});

test('a taken port ends in one sentence that names it', async () => {
  const { monitor } = await start();
  const port = monitor.address.split(':')[1];
  await expect(start(monitor.address)).rejects.toMatchObject({
    code: 'TRANSPORT_PORT_IN_USE',
    exitCode: 69,
    message: `port ${port} on 127.0.0.1 is in use; choose another with --set spec.operation.metrics=HOST:PORT (auto takes a free one)`,
  });
});

test('an address that is not this machine’s ends in one sentence', async () => {
  // Of a network that is reserved for documentation (RFC 5737).
  await expect(start('192.0.2.1:9464')).rejects.toMatchObject({
    code: 'TRANSPORT_CANNOT_LISTEN',
    exitCode: 69,
    message: 'metrics cannot be served on 192.0.2.1:9464 (EADDRNOTAVAIL)',
  });
});

test('auto takes a free port when the usual one is taken', async () => {
  const other = createServer();
  // Whether this server or another process has the port, it is taken.
  await new Promise<void>((resolve) => {
    other.once('error', () => resolve());
    other.listen(9464, '127.0.0.1', resolve);
  });
  onTestFinished(() => {
    other.close();
  });
  const { monitor, get } = await start('auto');
  expect(monitor.address).not.toBe('127.0.0.1:9464');
  expect((await get('/healthz')).status).toBe(200);
});

test('an idle connection does not keep the server from closing', async () => {
  const { monitor } = await start();
  const socket = connect(Number(monitor.address.split(':')[1]), '127.0.0.1');
  await new Promise((resolve) => socket.once('connect', resolve));
  await monitor.close();
  socket.destroy();
});
