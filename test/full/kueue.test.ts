import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { builds } from '../deploy/builds.js';
import { runCommandLine } from '../kit/command-line.js';
import { ApiServer } from '../kit/kubernetes/api-server.js';
import { Cluster } from '../kit/kubernetes/cluster.js';
import { fillIn } from '../kit/kubernetes/fill-in.js';
import { find, kubectlMissing, kustomize, type Manifest } from '../kit/kubernetes/kustomize.js';
import { startControllers, startJobSet, startKueue } from '../kit/kubernetes/managers.js';
import { Node } from '../kit/kubernetes/node.js';
import { podsMissing } from '../kit/kubernetes/pod.js';
import { apiServerMissing } from '../kit/kubernetes/programs.js';
import { TableRow } from '../kit/kubernetes/table-row.js';

const missing = apiServerMissing || kubectlMissing || podsMissing;
const minutes = 60_000;
const yaml = (manifests: readonly Manifest[]) => manifests.map((each) => stringify(each)).join('---\n');

/** deploy/kueue, with room for so many GPUs. */
function queueFor(gpus: number): Manifest[] {
  const manifests = builds['deploy/kueue']!();
  const [group] = find(manifests, 'ClusterQueue', 'fcaenet').spec.resourceGroups;
  group.flavors[0].resources.find(({ name }: Manifest) => name === 'nvidia.com/gpu').nominalQuota = gpus;
  return manifests;
}

describe.skipIf(missing !== '')(`Kueue's queue${missing}`, () => {
  let folder: string;
  let server: ApiServer;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'fcaenet-kueue-'));
    const make = ['certs', 'make', 'certs', '--name', 'localhost'];
    expect(await runCommandLine(make, { cwd: folder })).toMatchObject({ exitCode: 0, stderr: '' });
    server = await ApiServer.start();
    const tls = join(folder, 'certs/coordinator');
    startControllers(server);
    await startJobSet(server, tls);
    await startKueue(server, tls);
    await server.kubectl(
      'create --filename -',
      '{"apiVersion":"v1","kind":"Node","metadata":{"name":"node"}}',
    );
  }, 10 * minutes);
  afterAll(() => {
    server?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  const apply = (namespace: string, manifests: readonly Manifest[]) =>
    server.kubectl(`--namespace ${namespace} apply --validate=strict --filename -`, yaml(manifests));

  /** Asks again and again until the answer is as wanted, and gives it. */
  async function until<Value>(ask: () => Promise<Value>, wanted: (value: Value) => boolean): Promise<Value> {
    for (;;) {
      const value = await ask();
      if (wanted(value)) return value;
      await sleep(200);
    }
  }

  test('starts a row of a table run by run, and runs that are evicted, applied again or killed go on', async () => {
    const row = await TableRow.make();
    const elsewhere = await row.elsewhere();
    const manifests = await row.build();
    const namespace = find(manifests, 'ServiceAccount', 'fcaenet').metadata.namespace!;
    const cluster = new Cluster(manifests, {});
    row.provide(cluster);
    await server.kubectl(`create namespace ${namespace}`);
    await apply(namespace, queueFor(1));
    const node = new Node(server, cluster, namespace);

    const jobs = async () => {
      const { items } = JSON.parse(await server.kubectl(`--namespace ${namespace} get jobs --output json`));
      return (items as Manifest[]).map(({ metadata, spec, status }) => ({
        name: metadata.name,
        suspended: spec.suspend as boolean,
        complete: status.succeeded === 1,
      }));
    };
    const stopPolicy = (policy: string) =>
      server.kubectl(
        `--namespace ${namespace} patch localqueue fcaenet --type=merge --patch '{"spec":{"stopPolicy":"${policy}"}}'`,
      );
    /** Waits until the nth pod has written a checkpoint. */
    const checkpoint = async (nth: number) => {
      await until(
        async () => node.pods[nth],
        (each) => each !== undefined,
      );
      await node.pods[nth]!.pod.line('checkpoint written');
    };

    try {
      await apply(namespace, manifests);
      await checkpoint(0);
      expect((await jobs()).filter(({ suspended }) => !suspended)).toHaveLength(1);

      // An administrator drains the queue.
      await stopPolicy('HoldAndDrain');
      await until(jobs, (all) => all.every(({ suspended }) => suspended));
      await until(
        async () => node.running,
        (running) => running.length === 0,
      );
      expect(node.pods.map(({ ending }) => ending!.exitCode)).toEqual([75]);
      await stopPolicy('None');
      await checkpoint(1);

      // A person applies the row again.
      await apply(namespace, manifests);
      await checkpoint(2);
      expect(node.pods.slice(0, 2).map(({ ending }) => ending!.exitCode)).toEqual([75, 75]);

      // The kernel kills it: the Job's own controller makes the next pod.
      node.pods[2]!.pod.kill();
      await checkpoint(3);
      expect(node.pods[2]!.ending!.exitCode).toBe(137);
      expect(new Set(node.pods.slice(0, 4).map(({ job }) => job)).size).toBe(1);

      await until(jobs, (all) => all.every(({ complete }) => complete));
      expect((await jobs()).map(({ name }) => name).sort()).toEqual(TableRow.bits.map(TableRow.job).sort());
      const successes = node.pods.filter(({ ending }) => ending?.exitCode === 0);
      expect(successes).toHaveLength(TableRow.bits.length);
      expect(node.mostAtOnce).toBe(1);
      expect(await row.collect(cluster)).toEqual(elsewhere);
    } finally {
      await node.stop().finally(() => cluster.remove());
      row.remove();
    }
  });

  test('lets as many runs of VegFru start as the quota of deploy/kueue has room for', async () => {
    const row = [
      'table',
      resolve('examples/vegfru-24bit.yaml'),
      '--methods',
      'fcaenet',
      '--bits',
      '12,24,32,48',
    ];
    const places = ['--data', '/data/vegfru', '--output', 'vegfru', '--manifests', 'manifests'];
    const weights = ['--set', 'spec.model.weights=/data/resnet50.safetensors'];
    const written = await runCommandLine([...row, '--seeds', '3', ...places, ...weights], { cwd: folder });
    expect(written).toMatchObject({ exitCode: 0, stderr: '' });
    const manifests = kustomize(join(folder, 'manifests'));
    const namespace = find(manifests, 'ServiceAccount', 'fcaenet').metadata.namespace!;
    await server.kubectl(`create namespace ${namespace}`);
    await apply(namespace, builds['deploy/kueue']!());
    await server.kubectl('apply --validate=strict --filename -', fillIn(yaml(manifests)));
    const pods = async () =>
      (await server.kubectl(`--namespace ${namespace} get pods --output name`)).trim().split('\n');
    // Eight GPUs, and twelve runs.
    expect(await until(pods, ({ length }) => length >= 8)).toHaveLength(8);
    const reasons = await server.kubectl(
      `--namespace ${namespace} get workloads --output jsonpath={.items[*].status.conditions[*].message}`,
    );
    expect(reasons).toContain('insufficient unused quota for');
    await server.kubectl(`--namespace ${namespace} delete jobs --all`);
  });

  describe('and a JobSet of vegfru-48bit, with the quota of deploy/kueue', () => {
    const namespace = 'vegfru-48bit';
    const manifests = builds['deploy/overlays/vegfru-48bit + jobset + kueue']!();
    const text = fillIn(yaml(manifests));
    const { parallelism } = find(builds['deploy/overlays/vegfru-48bit']!(), 'Job', 'workers').spec;
    const suspended = async () =>
      (await server.kubectl(
        `--namespace ${namespace} get jobset fcaenet --output jsonpath={.spec.suspend}`,
      )) === 'true';

    beforeAll(() => server.kubectl(`create namespace ${namespace}`));

    test('waits while a GPU is missing, and says so', async () => {
      await apply(namespace, queueFor(parallelism - 1));
      await server.kubectl('apply --validate=strict --filename -', text);
      const reasons = () =>
        server.kubectl(
          `--namespace ${namespace} get workloads --output jsonpath={.items[*].status.conditions[*].message}`,
        );
      expect(await until(reasons, (each) => each !== '')).toContain('nvidia.com/gpu');
      expect(await suspended()).toBe(true);
      expect(await server.kubectl(`--namespace ${namespace} get pods --output name`)).toBe('');
    });

    test('starts coordinator and workers together when there is room', async () => {
      await apply(namespace, builds['deploy/kueue']!());
      expect(await until(suspended, (each) => !each)).toBe(false);
      const pods = () => server.kubectl(`--namespace ${namespace} get pods --output name`);
      const all = await until(pods, (text) => text.trim().split('\n').length === 1 + parallelism);
      expect(all).toContain('coordinator');
    });
  });
});
