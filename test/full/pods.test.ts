import { cpSync, existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { runCommandLine } from '../kit/command-line.js';
import { Cluster } from '../kit/kubernetes/cluster.js';
import { find, kubectlMissing, kustomize, type Manifest } from '../kit/kubernetes/kustomize.js';
import { buildOverlay } from '../kit/kubernetes/overlay.js';
import { podsMissing } from '../kit/kubernetes/pod.js';
import type { Secrets } from '../kit/kubernetes/volumes.js';
import { natsMissing } from '../kit/nats-server.js';
import { smallRunFile } from '../kit/small-run.js';

const missing = kubectlMissing || podsMissing;
const overlay = 'deploy/overlays/cpu-synthetic';
const namespace = 'cpu-synthetic';
const dataset = ['--species=4', '--train=8', '--test=3', '--size=64'];
/** As small as the tests' runs elsewhere, in the way of a person who changes an overlay. */
const run = {
  ...parse(readFileSync(`${overlay}/run.yaml`, 'utf8')),
  spec: {
    ...smallRunFile.spec,
    dataset: { path: '/data/synthetic', sampleSize: 20 },
    operation: { checkpoint: { everySteps: 1, keep: 50 }, lease: { seconds: 2 } },
  },
};
const smallData = (job: string, container: string) => ({
  patch: stringify({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: job },
    spec: {
      template: {
        spec: { initContainers: [{ name: 'dataset', args: dataset }], containers: [{ name: container }] },
      },
    },
  }),
});

/** Nobody comes late here. */
const noFarewell = {
  target: { kind: 'Job', name: 'coordinator' },
  patch: '- { op: add, path: /spec/template/spec/containers/0/args/-, value: --farewell=0 }',
};

function build(components: readonly string[] = []): Manifest[] {
  return buildOverlay({
    resources: [overlay],
    components,
    files: { 'run.yaml': stringify(run) },
    rest: {
      configMapGenerator: [
        {
          name: 'run',
          namespace,
          behavior: 'merge',
          files: ['run.yaml'],
          literals: ['datasetPath=/data/synthetic'],
        },
      ],
      generatorOptions: { disableNameSuffixHash: true },
      patches: [smallData('coordinator', 'coordinator'), smallData('workers', 'worker'), noFarewell],
    },
  });
}

let folder: string;
let expected: { weightsSha256: string; codesSha256: string };
let secrets: Secrets;

/** The Secrets that the overlay's README says to create, from the files that its commands make. */
async function followReadme(): Promise<Secrets> {
  const page = await readFile(`${overlay}/README.md`, 'utf8');
  const make = /^npx fcaenet (certs make .*)$/m.exec(page)![1]!;
  expect(await runCommandLine(make.split(' '), { cwd: folder })).toMatchObject({ exitCode: 0, stderr: '' });
  return secretsOf(page);
}

/** What `kubectl create secret` makes of the lines. */
function secretsOf(commands: string): Secrets {
  const created = [...commands.matchAll(/create secret generic (\S+) --from-file=(\S+)/g)];
  const contents = created.map(([, name, path]) => {
    const files = path!.endsWith('join-token')
      ? { 'join-token': join(folder, path!) }
      : filesIn(join(folder, path!));
    return [
      name,
      Object.fromEntries(Object.entries(files).map(([key, file]) => [key, readFileSync(file, 'utf8')])),
    ];
  });
  return Object.fromEntries(contents);
}

const filesIn = (path: string) =>
  Object.fromEntries(['tls.crt', 'tls.key', 'ca.crt'].map((name) => [name, join(path, name)]));

/** As docs/kubernetes.md says: an authority of the server's own. */
async function makeNatsSecrets(): Promise<Secrets> {
  const page = await readFile('docs/kubernetes.md', 'utf8');
  const make = /^npx fcaenet (certs make \S+-nats .*)$/m.exec(page)![1]!.replace(/vegfru-48bit/g, namespace);
  expect(await runCommandLine(make.split(' '), { cwd: folder })).toMatchObject({ exitCode: 0, stderr: '' });
  return secretsOf(
    page
      .match(/^kubectl .*certs\/\S+-nats\/.*/gm)!
      .join('\n')
      .replace(/vegfru-48bit/g, namespace),
  );
}

async function digests(cluster: Cluster): Promise<typeof expected> {
  const file = join(cluster.volumes.claim('runs'), 'cpu-synthetic', 'result.json');
  const { weightsSha256, codesSha256 } = JSON.parse(await readFile(file, 'utf8'));
  return { weightsSha256, codesSha256 };
}

describe.skipIf(missing !== '')(`pods as the manifests say${missing}`, () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fcaenet-pods-'));
    secrets = await followReadme();
    // The same run without Kubernetes.
    await writeFile(join(folder, 'run.yaml'), stringify(run));
    const make = await runCommandLine(['dataset', 'make', 'data', ...dataset], { cwd: folder });
    expect(make).toMatchObject({ exitCode: 0 });
    const set = ['--set', 'spec.dataset.path=data', '--set', 'spec.operation.metrics=off'];
    const plain = await runCommandLine(['train', 'run.yaml', '--workers', '1', ...set], { cwd: folder });
    expect(plain).toMatchObject({ exitCode: 0, stderr: '' });
    const { weightsSha256, codesSha256 } = JSON.parse(
      await readFile(join(folder, 'runs/cpu-synthetic/result.json'), 'utf8'),
    );
    expected = { weightsSha256, codesSha256 };
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('a run finishes, its probes answer, and its bits are those of a run elsewhere', async () => {
    const cluster = new Cluster(build(), secrets);
    try {
      const coordinator = cluster.runIndex('coordinator', 0);
      const leader = await cluster.pod('coordinator');
      await leader.line('waiting for workers');
      expect(leader.probe('startupProbe')).toBe(200);
      expect(leader.probe('livenessProbe')).toBe(200);
      expect(leader.probe('readinessProbe')).toBe(503);
      const [, status] = /exec "\$coordinator" -- (.+)/.exec(readFileSync(`${overlay}/README.md`, 'utf8'))!;
      expect(JSON.parse(leader.exec(...status!.split(' ')))).toMatchObject({
        run: namespace,
        state: 'waiting',
      });
      expect(leader.exec('id', '-u')).toBe('65532\n');
      expect(leader.exec('cat', '/proc/mounts')).toMatch(/ \/ \S+ ro,/);
      const workers = [0, 1].map((index) => cluster.runIndex('workers', index));
      await leader.line('worker joined');
      expect(leader.probe('readinessProbe')).toBe(200);
      for (const records of await Promise.all([coordinator, ...workers])) {
        expect(records.map(({ verdict, ending }) => [verdict, ending.stderr])).toEqual([['Succeeded', '']]);
      }
      expect(await digests(cluster)).toEqual(expected);
    } finally {
      await cluster.remove();
    }
  });

  test('evicted and killed pods are replaced, and the run goes on to the same bits', async () => {
    const cluster = new Cluster(build(), secrets);
    const runDirectory = join(cluster.volumes.claim('runs'), 'cpu-synthetic');
    try {
      const coordinators = cluster.runIndex('coordinator', 0);
      const workers = [0, 1].map((index) => cluster.runIndex('workers', index));

      const evicted = await cluster.pod('coordinator');
      await evicted.line('checkpoint written');
      const ending = await evicted.terminate();
      expect(ending).toMatchObject({ exitCode: 75, stderr: expect.stringContaining('checkpoint') });
      const [, name] = /checkpoint (\S+) is written/.exec(ending.stderr)!;
      expect(existsSync(join(runDirectory, 'checkpoints', name!, 'manifest.json'))).toBe(true);

      const killed = await cluster.pod('coordinator', 1);
      expect(await killed.line('resuming')).toMatchObject({ checkpoint: name });
      await killed.line('checkpoint written');
      const left = await (await cluster.pod('workers-1')).terminate();
      expect(left.exitCode).toBe(75);
      killed.kill();

      const records = await coordinators;
      const verdicts = records.map(({ verdict, ending: { exitCode } }) => `${exitCode} ${verdict}`);
      // A new pod cannot know whether the killed one lives until its lease has run out.
      expect(verdicts.filter((each) => each !== '73 Count')).toEqual([
        '75 Ignore',
        '137 Count',
        '0 Succeeded',
      ]);
      const [stayed, replaced] = await Promise.all(workers);
      expect(stayed!.map(({ verdict }) => verdict)).toEqual(['Succeeded']);
      expect(replaced!.map(({ verdict }) => verdict)).toEqual(['Ignore', 'Succeeded']);
      expect(await digests(cluster)).toEqual(expected);
    } finally {
      await cluster.remove();
    }
  });

  test('the pods that only wait end when they are told to; results lists a run, and hands it out', async () => {
    const alone = ['deploy/results', 'deploy/dataset-volume'].flatMap(kustomize);
    const cluster = new Cluster([...build(), ...alone], secrets);
    try {
      const runs = cluster.volumes.claim('runs');
      cpSync(join(folder, 'runs', 'cpu-synthetic'), join(runs, 'cpu-synthetic'), { recursive: true });
      const [results, copy] = ['results', 'copy'].map((name) => cluster.start(find(alone, 'Pod', name)));
      for (const pod of [results!, copy!]) {
        // By then process 1 passes signals on to its child.
        const both = 'tini\0--\0sleep\0infinity\0sleep\0infinity\0';
        const waits = () => expect(pod.exec('sh', '-c', 'cat /proc/[0-9]*/cmdline')).toContain(both);
        await vi.waitFor(waits, { timeout: 30_000 });
      }
      const page = readFileSync('docs/kubernetes.md', 'utf8');
      const [, list] = /exec results -- (.+)/.exec(page)!;
      expect(JSON.parse(results!.exec(...list!.split(' ')))).toMatchObject({
        run: namespace,
        state: 'finished',
      });
      // As `kubectl cp` does it.
      const archive = results!.exec('sh', '-c', 'tar cf - /runs/cpu-synthetic | tar tf -');
      for (const name of ['result.json', 'checkpoints/latest', 'weights.safetensors', 'codes.safetensors']) {
        expect(archive).toContain(`${name}\n`);
      }
      // Of the signal, and not 137 after the grace period.
      for (const pod of [results!, copy!]) expect(await pod.terminate()).toMatchObject({ exitCode: 143 });
    } finally {
      await cluster.remove();
    }
  });

  test.skipIf(natsMissing !== '')(
    `the NATS server's pod serves the coordinator's${natsMissing}`,
    async () => {
      const manifests = build(['deploy/components/nats']);
      const cluster = new Cluster(manifests, { ...secrets, ...(await makeNatsSecrets()) });
      try {
        const nats = cluster.start(find(manifests, 'StatefulSet', 'nats'), 0);
        await vi.waitFor(() => expect(nats.probe('startupProbe')).toBe(200), { timeout: 30_000 });
        expect(nats.probe('readinessProbe')).toBe(200);
        const coordinator = cluster.start(find(manifests, 'Job', 'coordinator'), 0);
        await coordinator.line('NATS connected');
        await coordinator.line('waiting for workers');
        expect(coordinator.lines.filter(({ message }) => message.startsWith('NATS request failed'))).toEqual(
          [],
        );
        expect(await coordinator.terminate()).toMatchObject({ exitCode: 75 });
      } finally {
        await cluster.remove();
      }
    },
  );
});
