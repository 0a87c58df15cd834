import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { builds } from '../deploy/builds.js';
import { runCommandLine } from '../kit/command-line.js';
import { ApiServer } from '../kit/kubernetes/api-server.js';
import { Cluster } from '../kit/kubernetes/cluster.js';
import { fillIn } from '../kit/kubernetes/fill-in.js';
import { find, kubectlMissing, kustomize, type Manifest, yamlOf } from '../kit/kubernetes/kustomize.js';
import { startControllers, startJobSet, startKueue } from '../kit/kubernetes/managers.js';
import { Node } from '../kit/kubernetes/node.js';
import { podsMissing } from '../kit/kubernetes/pod.js';
import { apiServerMissing } from '../kit/kubernetes/programs.js';
import { TableRow } from '../kit/kubernetes/table-row.js';

const missing = apiServerMissing || kubectlMissing || podsMissing;
const minutes = 60_000;

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
    server.kubectl(`--namespace ${namespace} apply --validate=strict --filename -`, yamlOf(manifests));

  /** Asks again and again until the answer is as wanted, and gives it. */
  async function until<Value>(
    ask: () => Value | Promise<Value>,
    wanted: (value: Value) => boolean,
    seconds = 120,
  ): Promise<Value> {
    for (const endMs = Date.now() + seconds * 1000; ; await sleep(200)) {
      server.check('during the test');
      const value = await ask();
      if (wanted(value)) return value;
      if (Date.now() > endMs) throw new Error(`${JSON.stringify(value)} after ${seconds} s`);
    }
  }

  const listed = async (kinds: string, where: string) =>
    JSON.parse(await server.kubectl(`get ${kinds} ${where} --output json`)).items as Manifest[];

  interface Workload {
    readonly hasQuota: boolean;
    /** Why it has none. */
    readonly reason: string;
  }

  const workloads = async (namespace: string): Promise<Workload[]> =>
    (await listed('workloads', `--namespace ${namespace}`)).map(({ status }) => {
      const { status: answer, message } =
        status?.conditions?.find(({ type }: { type: string }) => type === 'QuotaReserved') ?? {};
      return { hasQuota: answer === 'True', reason: answer === 'False' ? message : '' };
    });

  afterEach(async () => {
    await server.kubectl('delete jobs,jobsets --all --all-namespaces --wait=false');
    await until(
      () => listed('workloads,pods', '--all-namespaces'),
      ({ length }) => length === 0,
    );
  });

  test('starts a row of a table run by run, and runs that are evicted, applied again or killed go on', {
    timeout: 10 * minutes,
  }, async () => {
    const row = await TableRow.make();
    onTestFinished(() => row.remove());
    const elsewhere = await row.elsewhere();
    const manifests = await row.build();
    const namespace = find(manifests, 'ServiceAccount', 'fcaenet').metadata.namespace!;
    const cluster = new Cluster(manifests, {});
    onTestFinished(() => cluster.remove());
    row.provide(cluster);
    await server.kubectl(`create namespace ${namespace}`);
    await apply(namespace, queueFor(1));
    const node = new Node(server, cluster, namespace);
    onTestFinished(() => node.stop());

    const jobs = async () => {
      if (node.failure) throw node.failure;
      return (await listed('jobs', `--namespace ${namespace}`)).map(({ metadata, spec, status }) => ({
        name: metadata.name,
        suspended: spec.suspend as boolean,
        complete: status.succeeded === 1,
      }));
    };
    const stopPolicy = (policy: string) =>
      server.kubectl(
        `--namespace ${namespace} patch localqueue fcaenet --type=merge --patch '{"spec":{"stopPolicy":"${policy}"}}'`,
      );
    /** The nth pod, when it has written a checkpoint. */
    const checkpoint = async (nth: number) => {
      await until(jobs, () => node.pods.length > nth);
      await node.pods[nth]!.pod.line('checkpoint written');
      return node.pods[nth]!;
    };

    await apply(namespace, manifests);
    const evicted = await checkpoint(0);
    expect((await jobs()).filter(({ suspended }) => !suspended)).toHaveLength(1);

    // An administrator drains the queue. Any of the runs may be the next one then.
    await stopPolicy('HoldAndDrain');
    await until(
      () => workloads(namespace),
      (all) => all.every(({ hasQuota }) => !hasQuota),
    );
    await until(jobs, (all) => all.every(({ suspended }) => suspended) && node.running.length === 0);
    expect(node.pods.map(({ ending }) => ending!.exitCode)).toEqual([75]);
    await stopPolicy('None');

    // A person applies the row again. Kueue starts the run that has the quota once more.
    const again = await checkpoint(1);
    await apply(namespace, manifests);
    const killed = await checkpoint(2);
    expect([again.ending!.exitCode, killed.job]).toEqual([75, again.job]);

    // The kernel kills it. The Job's own controller makes the next pod.
    killed.pod.kill();
    const next = await checkpoint(3);
    expect([killed.ending!.exitCode, next.job]).toEqual([137, killed.job]);

    await until(jobs, (all) => all.every(({ complete }) => complete), 300);
    expect((await jobs()).map(({ name }) => name).sort()).toEqual(TableRow.bits.map(TableRow.job).sort());
    expect(node.mostAtOnce).toBe(1);
    for (const job of new Set([evicted.job, again.job])) {
      const [, ...later] = node.pods.filter((each) => each.job === job);
      expect(later.length).toBeGreaterThan(0);
      for (const { pod } of later) {
        expect(pod.lines.map(({ message }) => message)).toContain('resuming');
      }
    }
    expect(await row.collect(cluster)).toEqual(elsewhere);
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
    await server.kubectl('apply --validate=strict --filename -', fillIn(yamlOf(manifests)));
    // Kueue gives the reason of the run that is the next one.
    const decided = await until(
      () => workloads(namespace),
      (all) => all.length === 12 && all.some(({ reason }) => reason !== ''),
    );
    expect(decided.filter(({ hasQuota }) => hasQuota)).toHaveLength(8);
    expect(decided.find(({ reason }) => reason !== '')!.reason).toContain(
      'insufficient unused quota for nvidia.com/gpu',
    );
    await until(
      () => listed('pods', `--namespace ${namespace}`),
      ({ length }) => length === 8,
    );
  });

  describe('and a JobSet of vegfru-48bit, with the quota of deploy/kueue', () => {
    const namespace = 'vegfru-48bit';
    const manifests = builds['deploy/overlays/vegfru-48bit + jobset + kueue']!();
    const text = fillIn(yamlOf(manifests));
    const { parallelism } = find(builds['deploy/overlays/vegfru-48bit']!(), 'Job', 'workers').spec;
    const suspended = async () =>
      (await listed('jobsets', `--namespace ${namespace}`))[0]!.spec.suspend === true;
    const pods = () => listed('pods', `--namespace ${namespace}`);

    test('waits while the quota has a GPU too few, says so, and starts coordinator and workers together when it has them', async () => {
      await server.kubectl(`create namespace ${namespace}`);
      await apply(namespace, queueFor(parallelism - 1));
      await server.kubectl('apply --validate=strict --filename -', text);
      const [{ reason }] = (await until(
        () => workloads(namespace),
        (all) => all.length === 1 && all[0]!.reason !== '',
      )) as [Workload];
      expect(reason).toContain('nvidia.com/gpu');
      expect([await suspended(), await pods()]).toEqual([true, []]);
      await apply(namespace, builds['deploy/kueue']!());
      await until(suspended, (each) => !each);
      const all = await until(pods, ({ length }) => length === 1 + parallelism);
      const parts = all.map(({ metadata }) => metadata.labels!['app.kubernetes.io/component']);
      expect(parts.filter((part) => part === 'coordinator')).toHaveLength(1);
    });
  });
});
