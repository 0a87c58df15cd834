import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { loadDataset } from '../../src/data/dataset.js';
import { runCommandLine } from '../kit/command-line.js';
import { Cluster } from '../kit/kubernetes/cluster.js';
import { find, kubectlMissing, type Manifest } from '../kit/kubernetes/kustomize.js';
import { buildOverlay } from '../kit/kubernetes/overlay.js';
import { podsMissing } from '../kit/kubernetes/pod.js';
import { smallRunFile } from '../kit/small-run.js';

const missing = kubectlMissing || podsMissing;
let folder: string;
let fingerprint: string;

/** The base with the component, and the fingerprint given as docs/kubernetes.md shows it. */
function build(): Manifest[] {
  const page = readFileSync('docs/kubernetes.md', 'utf8');
  const [, shown] = /^ {6}(- \{ op: add, path: \S+initContainers\S+, value: --fingerprint=\S+ \})$/m.exec(
    page,
  )!;
  return buildOverlay({
    resources: ['deploy/base'],
    components: ['deploy/components/dataset-check'],
    files: { 'run.yaml': stringify({ ...smallRunFile, metadata: { name: 'checked' } }) },
    rest: {
      namespace: 'checked',
      configMapGenerator: [{ name: 'run', files: ['run.yaml'], literals: ['datasetPath=/data/mine'] }],
      generatorOptions: { disableNameSuffixHash: true },
      patches: [
        {
          target: { kind: 'Job', name: 'coordinator|workers' },
          patch: shown!.replace(/--fingerprint=\S+/, `--fingerprint=${fingerprint}`),
        },
      ],
    },
  });
}

describe.skipIf(missing !== '')(`pods that check their dataset first${missing}`, () => {
  const pictures = () => join(folder, 'mine');
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'fcaenet-dataset-check-'));
    const size = ['--species=4', '--train=8', '--test=3', '--size=64'];
    for (const command of [
      ['dataset', 'make', 'mine', ...size],
      ['certs', 'make', 'certs', '--name', 'coordinator.checked.svc'],
    ]) {
      expect(await runCommandLine(command, { cwd: folder })).toMatchObject({ exitCode: 0, stderr: '' });
    }
    fingerprint = (await loadDataset(pictures())).fingerprint;
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('a whole dataset lets the coordinator start', async () => {
    const tls = Object.fromEntries(
      ['tls.crt', 'tls.key', 'ca.crt'].map((name) => [name, contentOf(`certs/coordinator/${name}`)]),
    );
    const token = { 'join-token': contentOf('certs/join-token') };
    const manifests = build();
    const cluster = new Cluster(manifests, { 'coordinator-tls': tls, 'join-token': token });
    try {
      cpSync(pictures(), join(cluster.volumes.claim('dataset'), 'mine'), { recursive: true });
      const pod = cluster.start(find(manifests, 'Job', 'coordinator'), 0);
      expect(await pod.line('dataset')).toMatchObject({ directory: '/data/mine', fingerprint });
      await pod.line('waiting for workers');
      // Where the next pod finds what this one read.
      expect(readdirSync(join(cluster.volumes.claim('runs'), '.cache'))).toEqual([
        expect.stringMatching(/\.digests$/),
      ]);
      expect(await pod.terminate()).toMatchObject({ container: 'coordinator', exitCode: 75 });
    } finally {
      await cluster.remove();
    }
  });

  test('a picture that was copied in part ends the Job in one sentence, before anything else starts', async () => {
    const cluster = new Cluster(build(), {});
    try {
      const volume = join(cluster.volumes.claim('dataset'), 'mine');
      cpSync(pictures(), volume, { recursive: true });
      const { imagesRoot, train } = await loadDataset(volume);
      truncateSync(join(imagesRoot, train.paths[0]!), 100);
      const found = (await loadDataset(volume)).fingerprint;
      for (const [job, verdict] of [
        ['coordinator', 'FailJob'],
        ['workers', 'FailIndex'],
      ] as const) {
        const records = await cluster.runIndex(job, 0);
        expect(records.map(({ verdict, ending }) => ({ verdict, ...ending }))).toEqual([
          {
            verdict,
            container: 'dataset-check',
            exitCode: 65,
            stderr: expect.stringMatching(
              `^fcaenet: /data/mine has the fingerprint ${found}, expected ${fingerprint}: [^\\n]*\\n$`,
            ),
          },
        ]);
      }
    } finally {
      await cluster.remove();
    }
  });

  test('a picture of 0 bytes ends the Jobs as well', async () => {
    const cluster = new Cluster(build(), {});
    try {
      const volume = join(cluster.volumes.claim('dataset'), 'mine');
      cpSync(pictures(), volume, { recursive: true });
      const { train } = await loadDataset(volume);
      truncateSync(join(volume, 'images', train.paths[0]!), 0);
      for (const job of ['coordinator', 'workers']) {
        const records = await cluster.runIndex(job, 0);
        expect(records.map(({ ending }) => ending)).toEqual([
          {
            container: 'dataset-check',
            exitCode: 65,
            stderr: expect.stringMatching(
              /^fcaenet: the image \/data\/mine\/images\/[^\n]+ is empty, expected a picture[^\n]*\n$/,
            ),
          },
        ]);
      }
    } finally {
      await cluster.remove();
    }
  });

  test('an empty volume ends the Job as well', async () => {
    const cluster = new Cluster(build(), {});
    try {
      const records = await cluster.runIndex('coordinator', 0);
      expect(records.map(({ verdict, ending }) => [verdict, ending.exitCode, ending.stderr])).toEqual([
        [
          'FailJob',
          66,
          expect.stringMatching(/^fcaenet: the dataset folder \/data\/mine does not exist[^\n]*\n$/),
        ],
      ]);
    } finally {
      await cluster.remove();
    }
  });
});

const contentOf = (path: string) => readFileSync(join(folder, path), 'utf8');
