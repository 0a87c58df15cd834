import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as passMs } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { makeCertificates, tlsFilesIn } from '../../src/transport/certificates.js';
import { askControlSocket } from '../../src/transport/control/socket.js';
import { CommandLine } from '../kit/command-line.js';
import { freePort } from '../kit/free-port.js';
import { NatsServer, natsMissing } from '../kit/nats-server.js';
import { PrometheusServer, prometheusMissing } from '../kit/prometheus-server.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';
import { allQueries, allVariables, emptyByDesign, filledIn } from './queries.js';
import { ruleFile } from './sources.js';

const missing = prometheusMissing || natsMissing;

/** What NVIDIA's DCGM exporter says of the GPU of a worker's pod, and of one that is another program's. */
async function dcgmExporter(pod: string): Promise<{ server: Server; address: string }> {
  const gpus = (metric: string) => [
    `# TYPE ${metric} gauge`,
    `${metric}{gpu="0",UUID="GPU-0",Hostname="node-a",container="worker",namespace="birds-48",pod="${pod}"} 87`,
    `${metric}{gpu="1",UUID="GPU-1",Hostname="node-a",container="other",namespace="birds-48",pod="other-0"} 3`,
  ];
  const page = `${['DCGM_FI_DEV_GPU_UTIL', 'DCGM_FI_DEV_FB_USED'].flatMap(gpus).join('\n')}\n`;
  const server = createServer((_, response) => response.end(page)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, address: `127.0.0.1:${(server.address() as { port: number }).port}` };
}

let small: SmallRun;
let nats: NatsServer;
let run: CommandLine;
let exporters: Server[];
let prometheus: PrometheusServer;
let startSeconds: number;

/** Queries that give nothing, when these are chosen, at any moment since the run began. */
async function emptyQueries(choice: { namespace: string; run: string }): Promise<string[]> {
  const empty: string[] = [];
  for (const { where, expr } of allQueries()) {
    const filled = filledIn(expr, choice);
    const found = await prometheus.range(filled, startSeconds, Date.now() / 1000);
    if (found.length === 0) empty.push(where);
  }
  return empty;
}

describe.skipIf(missing !== '')(`a run that Prometheus scrapes${missing}`, () => {
  beforeAll(async () => {
    startSeconds = Date.now() / 1000;
    [small, nats] = await Promise.all([smallRun(), NatsServer.start()]);
    const port = await freePort();
    const [renamed, honoured] = await Promise.all([dcgmExporter('workers-0'), dcgmExporter('workers-1')]);
    exporters = [renamed.server, honoured.server];
    const address = `127.0.0.1:${port}`;
    prometheus = await PrometheusServer.start(
      [
        // As the operator finds it, and as a plain Prometheus does.
        { address, labels: { namespace: 'birds-48', pod: 'coordinator-x7k2p' } },
        { address, labels: { instance: 'plain' } },
        // Where a scrape does not honour labels, the exporter's own pod takes the names.
        {
          address: renamed.address,
          labels: { namespace: 'gpu-operator', pod: 'dcgm-1', container: 'dcgm-exporter' },
        },
        { address: honoured.address, labels: {} },
      ],
      readFileSync(ruleFile, 'utf8').replaceAll('[5m]', '[10s]'),
    );
    const certs = join(small.folder, 'certs');
    await makeCertificates({ directory: certs, names: [], days: 365, nowMs: Date.now() });
    const tls = Object.entries(tlsFilesIn(certs, 'coordinator'));
    const settings = [
      'metadata.name=watched',
      ...tls.map(([name, file]) => `spec.operation.tls.${name}=${file}`),
      `spec.operation.metrics=${address}`,
      `spec.operation.nats.url=${nats.url}`,
      // It goes on for as long as somebody looks.
      'spec.schedule.iterations=100000',
      'spec.operation.checkpoint.everySteps=null',
      'spec.schedule.epochs=1',
      // The norm of gradients is there in runs that bound it.
      'spec.optimizer.maxGradientNorm=1e6',
    ].flatMap((setting) => ['--set', setting]);
    run = new CommandLine(['train', small.runFile, '--workers', '2', ...settings], { cwd: small.folder });
    const { address: door } = await run.line('waiting for workers');
    // Somebody who is no worker.
    const socket = connect(Number(String(door).split(':').at(-1)), '127.0.0.1', () => socket.end('no gRPC'));
    socket.on('error', () => {});
    await run.line('evaluated', ({ iteration }) => Number(iteration) >= 1);
    // Until a rate over ten seconds has several scrapes to look at.
    await vi.waitFor(
      async () => {
        const recorded = await prometheus.range('fcaenet:images:rate5m > 0', startSeconds, Date.now() / 1000);
        if (recorded.length === 0) throw new Error('there is no rate of images yet');
      },
      { timeout: 120_000, interval: 500 },
    );
    await passMs(3_000);
  }, 300_000);

  afterAll(async () => {
    run?.kill('SIGKILL');
    await run?.ended;
    for (const exporter of exporters ?? []) exporter.close();
    await Promise.all([prometheus?.remove(), nats?.remove(), small?.remove()]);
  });

  test('every query of dashboards, recording rules and alerts gives data', async () => {
    const empty = await emptyQueries({ namespace: 'birds-48', run: 'watched' });
    expect(empty.filter((where) => !(where in emptyByDesign))).toEqual([]);
  });

  test('and so it does where nothing has a namespace, but for GPUs, which are found by it', async () => {
    const empty = await emptyQueries({ namespace: '', run: 'watched' });
    expect(empty.filter((where) => !(where in emptyByDesign))).toEqual([
      'workers.json: GPU utilisation',
      'workers.json: GPU memory',
    ]);
  });

  test('with All chosen, everything is there', async () => {
    const empty = await emptyQueries({ namespace: '.*', run: '.*' });
    expect(empty.filter((where) => !(where in emptyByDesign))).toEqual([]);
  });

  test.each(allVariables())('%s has values', async (where, series, label) => {
    const values = await prometheus.labelValues(label, filledIn(series, { namespace: '.*', run: '.*' }));
    expect(values).toEqual(where.endsWith('namespace') ? ['birds-48'] : ['watched']);
  });

  test('GPUs are those of workers, under the pods they belong to', async () => {
    const queries = allQueries().filter(({ expr }) => expr.includes('DCGM_'));
    expect(queries).toHaveLength(2);
    for (const { expr } of queries) {
      const filled = filledIn(expr, { namespace: 'birds-48', run: 'watched' });
      const found = await prometheus.range(filled, startSeconds, Date.now() / 1000);
      const ofRun = { namespace: 'birds-48', run: 'watched', gpu: '0' };
      expect(found.map(({ metric }) => metric)).toEqual([
        { ...ofRun, pod: 'workers-0' },
        { ...ofRun, pod: 'workers-1' },
      ]);
    }
  });

  test('the phases of a step add up to its time', async () => {
    const whole = 'fcaenet_step_seconds_sum{namespace="birds-48"}';
    const phases = 'sum by (namespace, run) (fcaenet_step_phase_seconds_total{namespace="birds-48"})';
    const shares = `(${phases} / on (namespace, run) ${whole}) and on (namespace, run) ${whole} > 0`;
    const [found] = await prometheus.range(shares, startSeconds, Date.now() / 1000);
    for (const [, share] of found!.values!) expect(Number(share)).toBeCloseTo(1, 1);
  });

  test('a metric that is renamed in one place gives no data', async () => {
    const choice = { namespace: '.*', run: '.*' };
    // The first name in each query; with `or` the other side still gives data.
    for (const { where, expr } of allQueries()) {
      if (where in emptyByDesign || where.startsWith('rule ')) continue;
      const renamed = filledIn(expr, choice).replace(/(fcaenet[_:]|process_)(\w+)/, '$1another_$2');
      if (/\bor\b/.test(renamed)) continue;
      expect(await prometheus.range(renamed, startSeconds, Date.now() / 1000), renamed).toEqual([]);
    }
  });

  test('no more than six queries are empty by design, and all of them exist', () => {
    const places = new Set(allQueries().map(({ where }) => where));
    expect(Object.keys(emptyByDesign).filter((where) => !places.has(where))).toEqual([]);
    expect(Object.keys(emptyByDesign).length).toBeLessThanOrEqual(6);
  });

  test('slots are the only names of workers, and there are no more than may be there', async () => {
    expect(await prometheus.labelValues('worker', 'fcaenet_worker_state')).toEqual(['0', '1']);
    const everything = await prometheus.range('{job="fcaenet", run!=""}', startSeconds, Date.now() / 1000);
    expect(JSON.stringify(everything.map(({ metric }) => metric))).not.toContain('local-');
  });

  test('a pause is seen, and so is its end', async () => {
    const socket = join(small.folder, 'runs', 'watched', 'control.sock');
    for (const [command, value] of [
      ['pause', 1],
      ['resume', 0],
    ] as const) {
      const askedSeconds = Date.now() / 1000;
      await askControlSocket(socket, JSON.stringify({ command }));
      await vi.waitFor(
        async () => {
          const seen = await prometheus.range(`fcaenet_paused == ${value}`, askedSeconds, Date.now() / 1000);
          expect(seen.length).toBeGreaterThan(0);
        },
        { timeout: 60_000, interval: 250 },
      );
    }
  });
});
