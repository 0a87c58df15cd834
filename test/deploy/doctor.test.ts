import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { examineKube } from '../../src/commands/doctor-kube-action.js';
import { examineManifests } from '../../src/kube/examine.js';
import { parseManifests, readManifests } from '../../src/kube/read-manifests.js';
import { runCommandLine } from '../kit/command-line.js';
import { find, kubectlMissing, kustomize, type Manifest } from '../kit/kubernetes/kustomize.js';
import { buildOverlay } from '../kit/kubernetes/overlay.js';

interface Changes {
  readonly image?: string;
  readonly run?: string;
  readonly workers?: { readonly parallelism: number; readonly completions: number };
  readonly kind?: string;
}

const runYaml = readFileSync('deploy/overlays/vegfru-48bit/run.yaml', 'utf8');

/** A run's manifests, cut down to what is looked at. */
function manifests({
  image = 'registry.example/fcaenet',
  run = runYaml,
  workers,
  kind = 'Job',
}: Changes = {}) {
  const pod = (name: string, args: string[], secret: string) => ({
    template: {
      spec: {
        containers: [
          {
            name,
            image,
            command: ['fcaenet'],
            args,
            env: [{ name: 'WEIGHTS', value: 'resnet50.safetensors' }],
            ports: [{ name: 'peers', containerPort: 7402 }],
          },
        ],
        volumes: [
          { name: 'run', configMap: { name: 'run' } },
          { name: 'tls', secret: { secretName: secret } },
        ],
      },
    },
  });
  const set = ['--set=spec.model.weights=/data/$(WEIGHTS)', '--set=spec.operation.runsDirectory=/runs'];
  const documents = [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'run' }, data: { 'run.yaml': run } },
    {
      apiVersion: 'batch/v1',
      kind,
      metadata: { name: 'coordinator' },
      spec: pod('coordinator', set, 'coordinator-tls'),
    },
    {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'workers' },
      spec: { parallelism: 4, completions: 4, ...workers, ...pod('worker', [], 'worker-tls') },
    },
  ];
  return parseManifests(documents.map((each) => stringify(each)).join('---\n'), 'test.yaml');
}

const failed = (changes: Changes) =>
  examineManifests(manifests(changes))
    .filter(({ ok }) => !ok)
    .map(({ name, text }) => `${name}: ${text}`);

test('manifests with everything in place pass every check', () => {
  const checks = examineManifests(manifests());
  expect(checks).toEqual([
    { name: 'values', ok: true, text: 'all are filled in' },
    { name: 'run file', ok: true, text: 'vegfru-48bit: fcaenet, 48 bits, resnet50, 60 iterations' },
    { name: 'workers', ok: true, text: '4' },
    { name: 'secrets', ok: true, text: 'to be created first: coordinator-tls, worker-tls' },
  ]);
});

test('what keeps workers from exchanging gradients is said, and the run starts all the same', () => {
  const run: Manifest[] = manifests();
  find(run, 'Job', 'workers').spec.template.spec.containers[0].ports = [];
  expect(examineManifests(run as Parameters<typeof examineManifests>[0])).toContainEqual({
    name: 'peers',
    ok: true,
    text: 'the container worker of the workers has no containerPort 7402, so workers cannot exchange gradients, and each gradient goes through the coordinator',
  });
});

test('a value that was not filled in is named with its places', () => {
  expect(failed({ image: 'FILL-IN-IMAGE' })).toEqual([
    'image: replace FILL-IN-IMAGE in Job coordinator, Job workers with an image of deploy/image/Dockerfile that the cluster can pull',
  ]);
});

test('a run file that the coordinator would refuse is refused with its own sentence', () => {
  expect(failed({ run: runYaml.replace('bits: 48', 'bits: 65') })).toEqual([
    'run file: run.yaml of ConfigMap run: spec.bits is 65, but must be a whole number from 1 to 64',
  ]);
});

test('workers must be as many as completions, and as many as the run wants', () => {
  expect(failed({ workers: { parallelism: 4, completions: 2 } })).toEqual([
    'workers: parallelism is 4, but must be the number of completions, 2',
  ]);
  expect(failed({ workers: { parallelism: 65, completions: 65 } })).toEqual([
    'workers: there are 65, but spec.operation.membership asks for 1 to 64',
  ]);
});

test('workers beyond the microbatches are said to stand by', () => {
  const checks = examineManifests(manifests({ workers: { parallelism: 10, completions: 10 } }));
  expect(checks.find(({ name }) => name === 'workers')?.text).toBe(
    '10, of which 2 only stand by: spec.schedule.microbatches is fewer',
  );
});

test('Secrets are listed wherever objects refer to them, but for those that are there', () => {
  const secret = (name: string) => ({ apiVersion: 'v1', kind: 'Secret', metadata: { name } });
  const pod = {
    imagePullSecrets: [{ name: 'registry' }],
    containers: [
      {
        name: 'nats',
        env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'variable', key: 'a' } } }],
        envFrom: [{ secretRef: { name: 'variables' } }],
      },
    ],
    volumes: [
      { name: 'tls', secret: { secretName: 'nats-server-tls' } },
      {
        name: 'both',
        projected: { sources: [{ secret: { name: 'projected' } }, { configMap: { name: 'c' } }] },
      },
      { name: 'own', secret: { secretName: 'generated' } },
    ],
  };
  const server = {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'nats' },
    spec: { template: { spec: pod } },
  };
  const text = [server, secret('generated')].map((each) => stringify(each)).join('---\n');
  const checks = examineManifests([...manifests(), ...parseManifests(text, 'test.yaml')]);
  expect(checks.at(-1)!.text).toBe(
    'to be created first: coordinator-tls, nats-server-tls, projected, registry, variable, variables, worker-tls',
  );
});

test.skipIf(kubectlMissing !== '')(`a pod with eight GPUs has eight workers${kubectlMissing}`, () => {
  const components = ['eight-gpus', 'gpu-nodes'].map((name) => `deploy/components/${name}`);
  const checks = examineManifests(buildOverlay({ resources: ['deploy/overlays/vegfru-48bit'], components }));
  expect(checks).toContainEqual({ name: 'workers', ok: true, text: '8 in 1 pod' });
  expect(checks).toContainEqual({
    name: 'GPU',
    ok: false,
    text: 'replace FILL-IN-GPU-PRODUCT in Job workers with a model of GPU, of kubectl get nodes --label-columns nvidia.com/gpu.product',
  });
});

test.skipIf(kubectlMissing !== '').each(['results', 'dataset-volume'])(
  `deploy/%s, which is no run, is only checked for values to fill in${kubectlMissing}`,
  (folder) => {
    const checks = examineManifests(kustomize(`deploy/${folder}`));
    expect(checks).toContainEqual(
      expect.objectContaining({ ok: false, text: expect.stringContaining('replace FILL-IN-IMAGE') }),
    );
    expect(checks.at(-1)).toEqual({
      name: 'run',
      ok: true,
      text: 'there is none in these manifests; only the values to fill in were checked',
    });
  },
);

test.each([
  [
    'no coordinator',
    'KUBE_NO_RUN',
    () => examineManifests(manifests({ kind: 'CronJob' })),
    'there is no Job coordinator',
  ],
  ['no YAML', 'KUBE_MANIFESTS_INVALID', () => parseManifests('a: [', 'x.yaml'), 'x.yaml is not valid YAML: '],
  [
    'a name that stands twice',
    'KUBE_MANIFESTS_INVALID',
    () => parseManifests('kind: Job\nkind: Service', 'x.yaml'),
    'x.yaml is not valid YAML: a mapping has the name "kind" twice',
  ],
  [
    'no Kubernetes object',
    'KUBE_MANIFESTS_INVALID',
    () => parseManifests('a: 1', 'x.yaml'),
    'document 1 of x.yaml must be a Kubernetes object',
  ],
  [
    'no such file',
    'KUBE_MANIFESTS_MISSING',
    () => readManifests('absent.yaml'),
    'the manifests absent.yaml cannot be read (ENOENT)',
  ],
  [
    'a folder without kubectl',
    'KUBE_KUBECTL_MISSING',
    () => withoutPrograms(() => readManifests('deploy/base')),
    'kubectl is not installed, which builds deploy/base',
  ],
])('%s is refused with %s', (_, code, examine, sentence) => {
  expect(examine).toThrow(expect.objectContaining({ code, message: expect.stringContaining(sentence) }));
});

/** As on a machine where nothing is installed. */
function withoutPrograms(action: () => unknown): void {
  vi.stubEnv('PATH', '');
  try {
    action();
  } finally {
    vi.unstubAllEnvs();
  }
}

test('what is missing ends the command with KUBE_NOT_READY', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'fcaenet-kube-'));
  try {
    const file = join(folder, 'run.yaml');
    writeFileSync(
      file,
      manifests({ image: 'FILL-IN-IMAGE' })
        .map((each) => stringify(each))
        .join('---\n'),
    );
    await expect(examineKube({ manifests: file })).rejects.toMatchObject({
      code: 'KUBE_NOT_READY',
      exitCode: 78,
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.skipIf(kubectlMissing !== '')(`an overlay lacks its four values${kubectlMissing}`, async () => {
  const { exitCode, stderr, lines } = await runCommandLine(
    ['doctor', '--kube', 'deploy/overlays/vegfru-48bit'],
    { cwd: '.' },
  );
  expect(exitCode).toBe(78);
  expect(stderr).toMatch(
    /^fcaenet: deploy\/overlays\/vegfru-48bit would not start a run: image \(.+\); dataset volume \(.+\); weights \(.+\); storage class \(.+\)\.\n$/,
  );
  expect(lines.filter(({ ok }) => ok === true).map(({ name }) => name)).toEqual([
    'run file',
    'workers',
    'secrets',
  ]);
});

describe.skipIf(kubectlMissing !== '')(`what is in deploy/${kubectlMissing}`, () => {
  const examine = (...built: Manifest[][]) =>
    Object.fromEntries(
      examineManifests(
        parseManifests(
          built
            .flat()
            .map((each) => stringify(each))
            .join('---\n'),
          'deploy',
        ),
      ).map(({ name, ok, text }) => [name, ok ? text : `missing: ${text}`]),
    );
  const runtime = () => kustomize('deploy/kubeflow/runtime');
  const trainJob = () => kustomize('deploy/kubeflow/train-job');

  test('the NATS server has a Secret of its own', () => {
    const { secrets } = examine(
      buildOverlay({ resources: ['deploy/overlays/vegfru-48bit'], components: ['deploy/components/nats'] }),
    );
    expect(secrets).toBe(
      'to be created first: coordinator-tls, join-token, nats-client-tls, nats-server-tls, worker-tls',
    );
  });

  test('a TrainJob is a run, whose runtime is said to be elsewhere', async () => {
    expect(examine(trainJob())).toEqual({
      values: 'all are filled in',
      'run file': 'vegfru-48bit: fcaenet, 48 bits, resnet50, 60 iterations',
      workers: '4',
      runtime:
        'ClusterTrainingRuntime fcaenet is not among the manifests, so it must already be in the cluster',
      secrets: 'to be created first: those of the pods of ClusterTrainingRuntime fcaenet',
    });
    const command = ['doctor', '--kube', 'deploy/kubeflow/train-job'];
    expect(await runCommandLine(command, { cwd: '.' })).toMatchObject({ exitCode: 0, stderr: '' });
  });

  test('a runtime lacks its image, and with a TrainJob of it is a whole run', () => {
    const image =
      'missing: replace FILL-IN-IMAGE in ClusterTrainingRuntime fcaenet with an image of deploy/image/Dockerfile that the cluster can pull';
    const found = {
      image,
      workers: '4',
      runtime: 'ClusterTrainingRuntime fcaenet is among the manifests',
      secrets: 'to be created first: coordinator-tls, join-token, worker-tls',
    };
    expect(examine(runtime())).toEqual(found);
    const many = trainJob();
    find(many, 'TrainJob', 'vegfru-48bit').spec.trainer.numNodes = 10;
    expect(examine(runtime(), many)).toEqual({
      ...found,
      'run file': 'vegfru-48bit: fcaenet, 48 bits, resnet50, 60 iterations',
      workers: '10, of which 2 only stand by: spec.schedule.microbatches is fewer',
    });
  });

  test('a TrainJob without a runtime’s name is refused', () => {
    const [broken] = parseManifests('{apiVersion: a/v1, kind: TrainJob, metadata: {name: x}, spec: {}}', 'x');
    expect(() => examineManifests([broken!])).toThrow(
      expect.objectContaining({
        code: 'KUBE_MANIFESTS_INVALID',
        message: 'TrainJob x must have spec.runtimeRef.name',
      }),
    );
  });
});

test.skipIf(kubectlMissing !== '')(`kubectl's complaint is one sentence${kubectlMissing}`, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'fcaenet-kube-'));
  try {
    writeFileSync(join(folder, 'kustomization.yaml'), 'resources: [absent]\n');
    expect(() => readManifests(folder)).toThrow(
      expect.objectContaining({
        code: 'KUBE_KUSTOMIZE_FAILED',
        message: expect.stringMatching(/^kubectl kustomize \S+ failed: .+absent/),
      }),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a finished set of manifests ends with 0, whatever they are read from', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'fcaenet-kube-'));
  try {
    const file = join(folder, 'run.yaml');
    writeFileSync(
      file,
      manifests()
        .map((each) => stringify(each))
        .join('---\n'),
    );
    const ending = await runCommandLine(['doctor', '--kube', file], { cwd: '.' });
    expect(ending).toMatchObject({ exitCode: 0, stderr: '' });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
