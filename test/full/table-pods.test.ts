import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { runCommandLine } from '../kit/command-line.js';
import { Cluster, type PodRecord } from '../kit/kubernetes/cluster.js';
import { kubectlMissing, kustomize, type Manifest } from '../kit/kubernetes/kustomize.js';
import { podsMissing } from '../kit/kubernetes/pod.js';
import { smallDataset, smallRunFile } from '../kit/small-run.js';

const missing = kubectlMissing || podsMissing;
const bits = [12, 24, 32, 48];
const row = [
  'table',
  'row.yaml',
  '--methods',
  'fcaenet',
  '--bits',
  bits.join(),
  '--seeds',
  '1',
  '--equal',
  'steps',
];

interface WrittenRun {
  readonly state: string;
  readonly mAP: number;
  readonly weightsSha256: string;
  readonly codesSha256: string;
}

describe.skipIf(missing !== '')(`a row of a table as Jobs${missing}`, () => {
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'fcaenet-table-pods-'));
    await smallDataset(join(folder, 'data'));
    const { spec } = smallRunFile;
    const operation = { ...spec.operation, lease: { seconds: 2 } };
    // The command needs no dataset then: the folder is the pods'.
    const dataset = { ...spec.dataset, kind: 'cub' };
    const run = { ...smallRunFile, metadata: { name: 'row' }, spec: { ...spec, dataset, operation } };
    writeFileSync(join(folder, 'row.yaml'), stringify(run));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const table = async (...options: string[]) =>
    expect(await runCommandLine([...row, ...options], { cwd: folder })).toMatchObject({
      exitCode: 0,
      stderr: '',
    });

  const runsOf = (output: string): WrittenRun[] => {
    const { places } = JSON.parse(readFileSync(join(folder, output, 'table.json'), 'utf8'));
    return places.flatMap(({ runs }: { runs: WrittenRun[] }) =>
      runs.map(({ state, mAP, weightsSha256, codesSha256 }) => ({ state, mAP, weightsSha256, codesSha256 })),
    );
  };

  /** What the page says: write, fill in, build. */
  async function build(): Promise<Manifest[]> {
    await table('--data', '/data/small', '--output', 'cluster', '--manifests', 'manifests');
    const file = join(folder, 'manifests', 'kustomization.yaml');
    const values = { 'FILL-IN-IMAGE': 'registry.example/fcaenet:gpu', 'FILL-IN-DATASET-CLAIM': 'dataset' };
    let text = readFileSync(file, 'utf8').replaceAll('FILL-IN-STORAGE-CLASS', 'standard');
    for (const [name, value] of Object.entries(values)) text = text.replaceAll(name, value);
    writeFileSync(file, text);
    const check = await runCommandLine(['doctor', '--kube', 'manifests'], { cwd: folder });
    expect(check).toMatchObject({ exitCode: 0, stderr: '' });
    return kustomize(join(folder, 'manifests'));
  }

  test('evicted, killed and suspended runs go on, and the table is that of one command elsewhere', async () => {
    await table('--data', 'data', '--output', 'elsewhere', '--workers', '1');
    const manifests = await build();
    const cluster = new Cluster(manifests, {});
    try {
      const claim = cluster.volumes.claim('dataset');
      mkdirSync(join(claim, 'small'));
      cpSync(join(folder, 'data'), join(claim, 'small'), { recursive: true });
      const job = (length: number) => `cell-fcaenet-${length}bit-seed0`;
      const verdicts = (records: readonly PodRecord[]) =>
        records
          .map(({ verdict, ending }) => `${ending.exitCode} ${verdict}`)
          .filter((each) => each !== '73 Count');
      const start = async (length: number) => {
        const ended = cluster.runIndex(job(length), 0);
        const pod = await cluster.pod(job(length));
        await pod.line('checkpoint written');
        return { pod, ended };
      };

      // One after the other, as a queue with room for one starts them.
      const evicted = await start(12);
      expect(await evicted.pod.terminate()).toMatchObject({ exitCode: 75 });
      expect(verdicts(await evicted.ended)).toEqual(['75 Ignore', '0 Succeeded']);

      const killed = await start(24);
      killed.pod.kill();
      expect(verdicts(await killed.ended)).toEqual(['137 Count', '0 Succeeded']);

      const suspended = cluster.start(manifests.find(({ metadata }) => metadata.name === job(32))!);
      await suspended.line('checkpoint written');
      expect(await suspended.terminate()).toMatchObject({ exitCode: 75 });
      expect(verdicts(await cluster.runIndex(job(48), 0))).toEqual(['0 Succeeded']);
      const again = cluster.runIndex(job(32), 0);
      await (await cluster.pod(job(32), 1)).line('resuming');
      expect(verdicts(await again)).toEqual(['0 Succeeded']);

      cpSync(cluster.volumes.claim('runs'), join(folder, 'cluster', 'runs'), { recursive: true });
    } finally {
      await cluster.remove();
    }
    await table('--data', '/data/small', '--output', 'cluster', '--report');
    const elsewhere = runsOf('elsewhere');
    expect(elsewhere.map(({ state }) => state)).toEqual(bits.map(() => 'finished'));
    expect(runsOf('cluster')).toEqual(elsewhere);
  });
});
