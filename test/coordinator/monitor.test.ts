import { createServer } from 'node:http';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { RunMetrics } from '../../src/coordinator/metrics.js';
import { MonitorServer } from '../../src/coordinator/monitor-server.js';

interface World {
  nowMs: number;
  sentBytes: number;
  receivedBytes: number;
  workers: Record<string, number>;
  refused: Record<string, number>;
  notReady: string | null;
  droppedWorkerLogLines: number;
  events: { published: number; lost: number };
  natsConnected: boolean | null;
}

async function start(address = '127.0.0.1:0') {
  const world: World = {
    nowMs: 0,
    sentBytes: 0,
    receivedBytes: 0,
    workers: {},
    refused: {},
    notReady: null,
    droppedWorkerLogLines: 0,
    events: { published: 0, lost: 0 },
    natsConnected: null,
  };
  const metrics = new RunMetrics({
    traffic: () => world,
    workers: () => world.workers,
    refusedConnections: () => world.refused,
    droppedWorkerLogLines: () => world.droppedWorkerLogLines,
    waitingSince: () => null,
    minWorkers: 1,
    spareWorkers: () => 0,
    events: () => world.events,
    natsConnected: () => world.natsConnected,
    term: 4,
    nowMs: () => world.nowMs,
  });
  const monitor = await MonitorServer.start({
    address,
    registry: metrics.registry,
    notReady: () => world.notReady,
  });
  onTestFinished(() => monitor.close());
  const get = (path: string, init?: RequestInit) => fetch(`http://${monitor.address}${path}`, init);
  const scrape = async () => (await (await get('/metrics')).text()).split('\n');
  return { world, metrics, monitor, get, scrape };
}

test('what a run reports is what is scraped', async () => {
  const { world, metrics, get, scrape } = await start();
  Object.assign(world, {
    sentBytes: 100,
    receivedBytes: 20,
    workers: { ready: 1, computing: 2 },
    refused: { no_hello: 4 },
  });
  metrics.setEngine('onednn', '2.6.0', 'cpu', 'avx512');
  metrics.setPosition(3, 1, 52);
  metrics.stepDone(Float64Array.of(1.5, 0.5, 0.25, 0.125), 0.5, 192);
  metrics.codesUpdated(77, 0.01);
  metrics.evaluated(0.5, 0.49);
  metrics.gradientRefused('non_finite');
  metrics.microbatchesRedispatched(3);
  expect(await scrape()).toEqual(
    expect.arrayContaining([
      'fcaenet_engine_info{engine="onednn",version="2.6.0",device="cpu",instruction_set="avx512"} 1',
      'fcaenet_iteration 3',
      'fcaenet_epoch 1',
      'fcaenet_step 52',
      'fcaenet_loss{term="similarity"} 1.5',
      'fcaenet_loss{term="quantisation"} 0.5',
      'fcaenet_loss{term="positive"} 0.25',
      'fcaenet_loss{term="augmented"} 0.125',
      'fcaenet_images_total 192',
      'fcaenet_images_per_second 384',
      'fcaenet_step_seconds_bucket{le="0.5"} 1',
      'fcaenet_step_seconds_bucket{le="0.25"} 0',
      'fcaenet_step_seconds_sum 0.5',
      'fcaenet_flipped_bits 77',
      'fcaenet_v_step_seconds 0.01',
      'fcaenet_mean_average_precision{ties="index"} 0.5',
      'fcaenet_mean_average_precision{ties="averaged"} 0.49',
      'fcaenet_workers{state="ready"} 1',
      'fcaenet_workers{state="computing"} 2',
      'fcaenet_bytes_sent_total 100',
      'fcaenet_bytes_received_total 20',
      'fcaenet_gradient_refused_total{reason="non_finite"} 1',
      'fcaenet_refused_connections_total{reason="no_hello"} 4',
      'fcaenet_redispatched_microbatches_total 3',
    ]),
  );
  expect((await get('/metrics')).headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
});

test('bytes and workers are those of the moment, however often they are scraped', async () => {
  const { world, scrape } = await start();
  world.sentBytes = 5;
  world.workers = { ready: 1 };
  await scrape();
  world.sentBytes = 7;
  world.workers = { gone: 1 };
  const lines = await scrape();
  expect(lines).toContain('fcaenet_bytes_sent_total 7');
  expect(lines).toContain('fcaenet_workers{state="gone"} 1');
  expect(lines.join('\n')).not.toContain('state="ready"');
});

test('a checkpoint has an age once there is one', async () => {
  const { world, metrics, scrape } = await start();
  expect((await scrape()).filter((line) => line.startsWith('fcaenet_checkpoint_age_seconds '))).toEqual([]);
  metrics.checkpointWritten(0.25);
  world.nowMs = 12_000;
  const lines = await scrape();
  expect(lines).toContain('fcaenet_checkpoint_age_seconds 12');
  expect(lines).toContain('fcaenet_checkpoint_seconds 0.25');
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

test('other paths and methods are refused', async () => {
  const { get } = await start();
  expect((await get('/')).status).toBe(404);
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

test('an address of no interface is refused in one sentence', async () => {
  await expect(start('192.0.2.1:9464')).rejects.toThrow(
    'metrics cannot be served on 192.0.2.1:9464 (EADDRNOTAVAIL)',
  );
});

test('an idle connection does not keep the server from closing', async () => {
  const { monitor } = await start();
  const socket = connect(Number(monitor.address.split(':')[1]), '127.0.0.1');
  await new Promise((resolve) => socket.once('connect', resolve));
  await monitor.close();
  socket.destroy();
});

test('lines of workers that were left out are scraped', async () => {
  const { world, scrape } = await start();
  world.droppedWorkerLogLines = 9;
  expect(await scrape()).toContain('fcaenet_worker_log_lines_dropped_total 9');
});

test('events, the NATS connection and the term are scraped; without a server there is no connection', async () => {
  const { world, scrape } = await start();
  expect((await scrape()).filter((line) => line.startsWith('fcaenet_nats_connected'))).toEqual([]);
  Object.assign(world, { events: { published: 12, lost: 3 }, natsConnected: false });
  expect(await scrape()).toEqual(
    expect.arrayContaining([
      'fcaenet_term 4',
      'fcaenet_events_published_total 12',
      'fcaenet_events_lost_total 3',
      'fcaenet_nats_connected 0',
    ]),
  );
  world.natsConnected = true;
  expect(await scrape()).toContain('fcaenet_nats_connected 1');
});

test('the time of workers is summed, and nonsense that one may say is left out', async () => {
  const { metrics, scrape } = await start();
  metrics.microbatchesComputed(2, 0.5);
  metrics.microbatchesComputed(1, 0.25);
  for (const nonsense of [Number.NaN, -1, Number.POSITIVE_INFINITY]) {
    metrics.microbatchesComputed(nonsense, 1);
    metrics.microbatchesComputed(1, nonsense);
  }
  const lines = await scrape();
  expect(lines).toContain('fcaenet_worker_compute_seconds_total 3');
  expect(lines).toContain('fcaenet_worker_image_wait_seconds_total 0.75');
});
