import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { kubernetesName, writeManifests } from '../../src/experiments/manifests.js';
import { planGrid } from '../../src/experiments/plan-grid.js';
import { methodVariants } from '../../src/experiments/variants.js';
import { examineManifests } from '../../src/kube/examine.js';
import { readTrainingRun, readTrainingRuns } from '../../src/run/read.js';
import { trainingHash } from '../../src/run/training-hash.js';
import { find, kubectlMissing, kustomize } from '../kit/kubernetes/kustomize.js';
import { PublishedSchemas, schemasMissing } from '../kit/kubernetes/schemas.js';

const cellsOf = (seedCount: number, overrides: readonly string[] = []) =>
  planGrid({
    variants: methodVariants(['fcaenet', 'lsh']),
    bits: [12],
    seedCount,
    equalities: ['steps'],
    output: 'out',
    tuned: [],
    overrides: [
      'spec.dataset.path=/data/CUB_200_2011',
      'spec.model.weights=/data/resnet50.safetensors',
      ...overrides,
    ],
    resolve: readTrainingRuns('examples/cub-24bit.yaml'),
  }).cells;
const cells = cellsOf(2);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fcaenet-manifests-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('a name of a run becomes one of Kubernetes', () => {
  const [cell] = cells;
  expect(kubernetesName(cell!)).toBe('fcaenet-12bit-seed0');
  expect(kubernetesName({ ...cell!, name: 'A_b.c' })).toBe('a-b-c');
});

test('the values that were filled in stay, and the list of runs is replaced', () => {
  writeManifests(folder, 'space', cells);
  const file = join(folder, 'kustomization.yaml');
  const filled = readFileSync(file, 'utf8').replace('FILL-IN-IMAGE', 'registry.example/fcaenet');
  writeFileSync(file, filled);
  writeManifests(folder, 'other', cells.slice(1));
  expect(readFileSync(file, 'utf8')).toBe(filled);
  expect(parse(readFileSync(join(folder, 'cells', 'kustomization.yaml'), 'utf8')).resources).toEqual(
    cells.slice(1).map(kubernetesName),
  );
});

test('a file in the place of the folder of runs is an error with its path', () => {
  writeFileSync(join(folder, 'cells'), '');
  expect(() => writeManifests(folder, 'space', cells)).toThrow(
    `the folder ${join(folder, 'cells')} cannot be written (ENOTDIR), but needs room for files and runs`,
  );
});

test('a run file of a Job is that of its cell', () => {
  writeManifests(folder, 'space', cells);
  for (const cell of cells) {
    const run = readTrainingRun(join(folder, 'cells', kubernetesName(cell), 'run.yaml'));
    expect(trainingHash(run)).toBe(trainingHash(cell.run));
    expect(run.metadata.name).toBe(cell.name);
  }
});

test('the Job of a run handles exit codes, evictions and privileges as the coordinator of deploy/base', () => {
  const job = (path: string) => parse(readFileSync(path, 'utf8'));
  const [cell, coordinator] = [job('deploy/table/cell/job.yaml'), job('deploy/base/jobs/coordinator.yaml')];
  for (const field of ['podFailurePolicy', 'podReplacementPolicy', 'backoffLimit', 'completionMode']) {
    expect({ field, value: cell.spec[field] }).toEqual({ field, value: coordinator.spec[field] });
  }
  const [own, theirs] = [cell.spec.template.spec, coordinator.spec.template.spec];
  expect(own.securityContext).toEqual(theirs.securityContext);
  expect(own.terminationGracePeriodSeconds).toBe(theirs.terminationGracePeriodSeconds);
  expect(readdirSync('deploy/table/surroundings')).toContain('service-account.yaml');
  expect(readFileSync('deploy/table/surroundings/service-account.yaml', 'utf8')).toBe(
    readFileSync('deploy/base/surroundings/service-account.yaml', 'utf8'),
  );
});

describe.skipIf(kubectlMissing !== '')(`kubectl kustomize${kubectlMissing}`, () => {
  const build = () => {
    writeManifests(folder, 'space', cells);
    const file = join(folder, 'kustomization.yaml');
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll(/FILL-IN-[A-Z-]+/g, 'filled'));
    return kustomize(folder);
  };

  test('gives each run a suspended Job in the queue, with its own run file and the dataset’s claim', () => {
    const manifests = build();
    for (const cell of cells) {
      const job = find(manifests, 'Job', `cell-${kubernetesName(cell)}`);
      expect(job.metadata).toMatchObject({
        namespace: 'space',
        labels: { 'kueue.x-k8s.io/queue-name': 'fcaenet', 'fcaenet.dev/run': kubernetesName(cell) },
      });
      expect(job.spec.suspend).toBe(true);
      const { containers, volumes } = job.spec.template.spec;
      expect(containers[0].image).toBe('filled');
      const claim = (name: string) => volumes.find((volume: { name: string }) => volume.name === name);
      expect(claim('dataset').persistentVolumeClaim.claimName).toBe('filled');
      expect(claim('runs').persistentVolumeClaim.claimName).toBe('runs');
      const { data } = find(manifests, 'ConfigMap', claim('run').configMap.name);
      expect(parse(data['run.yaml']).metadata.name).toBe(cell.name);
    }
  });

  test('is what fcaenet doctor --kube accepts', () => {
    const checks = examineManifests(build());
    expect(checks.map(({ name, ok }) => [name, ok])).toEqual([
      ['values', true],
      ['run files', true],
      ['queue', true],
    ]);
    expect(checks[1]!.text).toBe(
      '4 runs of a table: fcaenet-12bit-seed0, fcaenet-12bit-seed1, lsh-12bit-seed0, lsh-12bit-seed1',
    );
  });

  test.each([
    ['spec.dataset.path', 'data/CUB_200_2011'],
    ['spec.dataset.path', '/data/../home/CUB_200_2011'],
    ['spec.model.weights', '/weights/resnet50.safetensors'],
  ])('is refused where no volume of its pods has %s %s', (field, path) => {
    writeManifests(folder, 'space', cellsOf(1, [`${field}=${path}`]));
    const runs = examineManifests(kustomize(folder)).find(({ name }) => name === 'run files')!;
    expect(runs).toMatchObject({ ok: false });
    expect(runs.text).toContain(`${field} is ${path}, expected a path on a volume of the pod, which are at `);
  });

  test('says that no run is left, where none is', () => {
    writeManifests(folder, 'space', []);
    const runs = examineManifests(kustomize(folder)).find(({ name }) => name === 'run files');
    expect(runs).toMatchObject({ ok: true, text: 'no run of the table is left; there is nothing to start' });
  });

  test('names the first of the Jobs in which a value is missing, and how many there are', () => {
    writeManifests(folder, 'space', cellsOf(8));
    const values = examineManifests(kustomize(folder)).find(({ name }) => name === 'image')!;
    const named = Array.from({ length: 5 }, (_, seed) => `Job cell-fcaenet-12bit-seed${seed}`);
    expect(values.text).toBe(
      `replace FILL-IN-IMAGE in ${named.join(', ')} and 11 more with an image of deploy/image/Dockerfile that the cluster can pull`,
    );
  });

  test('is refused without its queue or with a damaged run file', () => {
    const manifests = build();
    const job = find(manifests, 'Job', 'cell-lsh-12bit-seed1');
    delete job.metadata.labels!['kueue.x-k8s.io/queue-name'];
    const { data } = find(manifests, 'ConfigMap', 'run-lsh-12bit-seed0');
    data['run.yaml'] = data['run.yaml'].replace('bits: 12', 'bits: 65');
    const failed = examineManifests(manifests).filter(({ ok }) => !ok);
    expect(failed.map(({ text }) => text)).toEqual([
      expect.stringContaining(
        'Job cell-lsh-12bit-seed0: run.yaml of ConfigMap run-lsh-12bit-seed0: spec.bits is 65',
      ),
      'Job cell-lsh-12bit-seed1 is suspended, but has no label kueue.x-k8s.io/queue-name of the queue that starts it',
    ]);
  });

  test.skipIf(schemasMissing !== '')(`the published schemas accept it${schemasMissing}`, () => {
    const schemas = new PublishedSchemas();
    expect(build().flatMap((manifest) => schemas.complaints(manifest))).toEqual([]);
  });
});
