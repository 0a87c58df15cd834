import { readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as passMs } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { freePort } from '../kit/free-port.js';
import { natsMissing } from '../kit/nats-server.js';
import { PrometheusServer, prometheusMissing } from '../kit/prometheus-server.js';
import { stallingDiskMissing } from '../kit/stalling-disk.js';
import { volumesMissing, WatchedRun } from '../kit/watched-run.js';
import { alerts, ruleFile } from '../monitoring/sources.js';

/** The rules with every minute counted as a second: the same expressions and limits, in the time of a test. */
const hurried = readFileSync(ruleFile, 'utf8')
  .replace(/\[(\d+)m\]/g, '[$1s]')
  .replace(/for: (\d+)m/g, 'for: $1s')
  .replace(/(\d+) \* 60\b/g, '$1 * 1');

const missing = prometheusMissing || natsMissing || volumesMissing || stallingDiskMissing;
const limitMs = 240_000;

let run: WatchedRun;
let prometheus: PrometheusServer;
/** Where the coordinator of another run serves its metrics, while there is one. */
let otherMetrics: string;
/** What each fault led to, for the reader of the test's output. */
const seen: { alert: string; firedAfterSeconds: number; resolvedAfterSeconds: number; runbook: string }[] =
  [];
const tested = new Set<string>();

/** Waits until an alert fires, or does so no longer; returns the seconds that it took, and the runbook it names. */
async function wait(alert: string, state: 'firing' | 'gone'): Promise<{ seconds: number; runbook: string }> {
  const started = performance.now();
  let runbook = '';
  await vi.waitFor(
    async () => {
      const found = (await prometheus.alerts()).filter(({ labels }) => labels.alertname === alert);
      const isFiring = found.some((each) => each.state === 'firing');
      runbook = found[0]?.annotations.runbook_url ?? '';
      if (state === 'firing' ? !isFiring : found.length > 0) {
        throw new Error(`${alert} is not ${state}: ${JSON.stringify(found)}`);
      }
    },
    { timeout: limitMs / 2, interval: 250 },
  );
  return { seconds: Math.round((performance.now() - started) / 100) / 10, runbook };
}

/** Lets a fault happen until its alert fires, and mends it until it does not. */
async function firesAndResolves(
  alert: string,
  fault: () => Promise<void> | void,
  mend: () => Promise<void> | void,
): Promise<void> {
  tested.add(alert);
  await wait(alert, 'gone');
  // A fault may have to go on for as long as nobody has noticed.
  const [fired] = await Promise.all([wait(alert, 'firing'), fault()]);
  await mend();
  const resolved = await wait(alert, 'gone');
  seen.push({
    alert,
    firedAfterSeconds: fired.seconds,
    resolvedAfterSeconds: resolved.seconds,
    runbook: fired.runbook,
  });
}

async function isFiring(alert: string): Promise<boolean> {
  const all = await prometheus.alerts();
  return all.some(({ labels, state }) => labels.alertname === alert && state === 'firing');
}

/** The newest value of an expression with one series. */
async function value(expr: string): Promise<number> {
  const now = Date.now() / 1000;
  const [series] = await prometheus.range(expr, now - 3, now);
  return Number(series?.values?.at(-1)?.[1] ?? Number.NaN);
}

describe.skipIf(missing !== '')(
  `each alert fires when its fault happens, and resolves after${missing}`,
  () => {
    beforeAll(async () => {
      run = await WatchedRun.open();
      otherMetrics = `127.0.0.1:${await freePort()}`;
      prometheus = await PrometheusServer.start(
        [run.metrics, otherMetrics].map((address) => ({ address, labels: { namespace: 'birds-48' } })),
        hurried,
      );
      await run.line('evaluated');
    }, limitMs);

    afterAll(async () => {
      console.table(seen);
      await run?.close();
      await prometheus?.remove();
    }, limitMs);

    // First, while the run learns and the last figure is the best: later it may be below for long.
    test('FcaenetMeanAveragePrecisionFalling: wrong gradients are believed', {
      timeout: limitMs,
    }, async () => {
      const alert = 'FcaenetMeanAveragePrecisionFalling';
      const best = 'max(fcaenet_best_mean_average_precision)';
      const last = 'max(fcaenet_mean_average_precision{ties="index"})';
      await vi.waitFor(
        async () => {
          if (!((await value(last)) > 0.95 * (await value(best)))) throw new Error('it is not at its best');
          await run.checkpoint();
        },
        { timeout: limitMs / 2, interval: 250 },
      );
      await firesAndResolves(
        alert,
        async () => {
          while (!(await isFiring(alert))) {
            run.relay.lieNext('noise');
            await passMs(500);
          }
          run.relay.stopLying();
        },
        // As the runbook says: back to a checkpoint from before.
        () => run.restartCoordinator(),
      );
    });

    test('FcaenetCheckpointTooOld: none is written', { timeout: limitMs }, () =>
      firesAndResolves(
        'FcaenetCheckpointTooOld',
        () => {},
        () => run.checkpoint(),
      ),
    );

    test('FcaenetNatsDown: the server is killed', { timeout: limitMs }, () =>
      firesAndResolves(
        'FcaenetNatsDown',
        () => run.nats.kill(),
        () => run.nats.start(),
      ),
    );

    test('FcaenetDiskNearlyFull: something else fills the volume', { timeout: limitMs }, async () => {
      const filler = join(run.volume, 'filler');
      await firesAndResolves(
        'FcaenetDiskNearlyFull',
        () => {
          const { bavail, bsize } = statfsSync(run.volume);
          // A little is left for the ledger and the events.
          writeFileSync(filler, Buffer.alloc(bavail * bsize - 1_500_000));
        },
        () => rmSync(filler),
      );
    });

    test('FcaenetDiskStalled: the disk does not answer while a checkpoint is written', {
      timeout: limitMs,
    }, async () => {
      let written: Promise<void> | undefined;
      await firesAndResolves(
        'FcaenetDiskStalled',
        () => {
          writeFileSync(run.disk.holds, '');
          written = run.checkpoint();
        },
        async () => {
          rmSync(run.disk.holds);
          await written;
        },
      );
      await run.line('the disk does not answer', ({ operation }) => operation === 'fsync');
    });

    test('FcaenetNoProgress: all workers are stopped', { timeout: limitMs }, () =>
      firesAndResolves(
        'FcaenetNoProgress',
        () => run.signal('SIGSTOP'),
        () => run.signal('SIGCONT'),
      ),
    );

    test('FcaenetTooFewWorkers: all workers are killed', { timeout: limitMs }, () =>
      firesAndResolves(
        'FcaenetTooFewWorkers',
        () => run.stopWorkers(),
        () => run.startWorkers(),
      ),
    );

    test('FcaenetStragglers: a worker stops again and again', { timeout: limitMs }, async () => {
      const alert = 'FcaenetStragglers';
      await run.checkpoint();
      await firesAndResolves(
        alert,
        async () => {
          while (!(await isFiring(alert))) {
            const { current } = run.workers[0]!;
            current.kill('SIGSTOP');
            await passMs(1_500);
            current.kill('SIGCONT');
            await passMs(500);
          }
        },
        () => {},
      );
    });

    test('FcaenetNonFiniteGradients: an answer holds a NaN', { timeout: limitMs }, () =>
      firesAndResolves(
        'FcaenetNonFiniteGradients',
        () => run.relay.lieNext('nan'),
        () => {},
      ),
    );

    // Last: another run, whose other alerts would be mistaken for this one's.
    test('FcaenetCertificateExpiring: certificates of a day', { timeout: limitMs }, async () => {
      let other = await run.startOther(otherMetrics, 1);
      await firesAndResolves(
        'FcaenetCertificateExpiring',
        async () => {
          expect(await other.line('a certificate expires soon')).toMatchObject({
            file: expect.stringMatching(/\.crt$/),
            daysLeft: 1,
          });
        },
        async () => {
          other.kill('SIGKILL');
          await other.ended;
          other = await run.startOther(otherMetrics, 365);
        },
      );
      other.kill('SIGKILL');
      await other.ended;
    });

    test('a checkpoint for which there is no room is counted', { timeout: limitMs }, async () => {
      const { bavail, bsize } = statfsSync(run.volume);
      writeFileSync(join(run.volume, 'filler'), Buffer.alloc(bavail * bsize - 200_000));
      await expect(run.checkpoint()).rejects.toThrow('ENOSPC');
      await vi.waitFor(async () => expect(await value('fcaenet_checkpoint_failures_total')).toBe(1), {
        timeout: 10_000,
      });
    });

    test('no alert was left out', () => {
      expect([...tested].sort()).toEqual(
        alerts()
          .map(({ alert }) => alert!)
          .sort(),
      );
    });
  },
);
