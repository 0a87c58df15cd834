import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { runCommandLine } from '../kit/command-line.js';
import { Cluster } from '../kit/kubernetes/cluster.js';
import { kubectlMissing, type Manifest } from '../kit/kubernetes/kustomize.js';
import { buildOverlay } from '../kit/kubernetes/overlay.js';
import { podsMissing } from '../kit/kubernetes/pod.js';
import type { Secrets } from '../kit/kubernetes/volumes.js';
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
    operation: { checkpoint: { everySteps: 1, keep: 50 } },
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
      patches: [smallData('coordinator', 'coordinator'), smallData('workers', 'worker')],
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
  const created = [...page.matchAll(/create secret generic (\S+) --from-file=(\S+)/g)];
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
});
