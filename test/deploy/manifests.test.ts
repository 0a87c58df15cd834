import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { examineManifests } from '../../src/kube/examine.js';
import { parseManifests } from '../../src/kube/read-manifests.js';
import { parseTrainingRun } from '../../src/run/read.js';
import { parseCommandLine } from '../cli/support.js';
import { judge } from '../kit/kubernetes/cluster.js';
import { documentedOverlays } from '../kit/kubernetes/documented.js';
import { find, kubectlMissing, type Manifest, podTemplates } from '../kit/kubernetes/kustomize.js';
import { buildOverlay } from '../kit/kubernetes/overlay.js';
import { expandVariables } from '../kit/kubernetes/volumes.js';
import { builds, wholeRuns } from './builds.js';

/** What a pod adds to the variables that manifests hold. */
const inPod = { POD_NAMESPACE: 'space', POD_NAME: 'workers-0-abcde', POD_IP: '10.0.0.7' };
const selects = (selector: Record<string, string>, labels: Record<string, string> = {}) =>
  Object.entries(selector).every(([name, value]) => labels[name] === value);

/** The words a container starts with, as far as manifests tell. */
function words(container: Manifest, manifests: readonly Manifest[]): string[] {
  const variables = Object.fromEntries(
    (container.env ?? []).map(({ name, value, valueFrom }: Manifest) => {
      const reference = valueFrom?.configMapKeyRef;
      if (reference) return [name, find(manifests, 'ConfigMap', reference.name).data[reference.key]];
      return [name, value ?? inPod[name as unknown as keyof typeof inPod]];
    }),
  );
  return [...container.command, ...(container.args ?? [])].map((word) => expandVariables(word, variables));
}

const containersOf = (template: Manifest): Manifest[] => [
  ...(template.spec.initContainers ?? []),
  ...template.spec.containers,
];

describe.skipIf(kubectlMissing !== '').each(Object.entries(builds))(`%s${kubectlMissing}`, (_, build) => {
  const manifests = kubectlMissing === '' ? build() : [];
  const pods = podTemplates(manifests);

  test('every pod keeps to what the strictest namespaces admit, and to what it asks for', () => {
    for (const { template } of pods) {
      expect(template.spec).toMatchObject({
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        securityContext: {
          runAsNonRoot: true,
          runAsUser: 65532,
          fsGroup: 65532,
          seccompProfile: { type: 'RuntimeDefault' },
        },
      });
      expect(template.spec.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(30);
      for (const { securityContext, resources } of containersOf(template)) {
        expect(securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(resources).toMatchObject({
          requests: { cpu: expect.anything(), memory: expect.anything() },
          limits: { memory: expect.anything() },
        });
      }
    }
  });

  test('what pods mount is among their volumes, each once', () => {
    for (const { owner, template } of pods) {
      const owned = find(manifests, owner.split(/[ :]+/)[0]!, owner.split(/[ :]+/)[1]!);
      const claimed = (owned.spec.volumeClaimTemplates ?? []).map(({ metadata }: Manifest) => metadata.name);
      const volumes = [...(template.spec.volumes ?? []).map(({ name }: Manifest) => name), ...claimed];
      expect(new Set(volumes).size).toBe(volumes.length);
      for (const container of containersOf(template)) {
        const mounted = container.volumeMounts.map(({ name }: { name: string }) => name);
        expect(volumes).toEqual(expect.arrayContaining(mounted));
      }
    }
  });

  test('probes ask ports that their container names', () => {
    for (const container of pods.flatMap(({ template }) => containersOf(template))) {
      const ports = (container.ports ?? []).map(({ name }: { name: string }) => name);
      for (const kind of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
        if (container[kind]) expect(ports).toContain(container[kind].httpGet.port);
      }
    }
  });

  test('nothing has rights in the cluster, and nothing hinders an eviction', () => {
    const unwanted = ['Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding', 'PodDisruptionBudget'];
    expect(manifests.filter(({ kind }) => unwanted.includes(kind))).toEqual([]);
  });
});

describe.skipIf(kubectlMissing !== '').each(wholeRuns)(`%s is a whole run${kubectlMissing}`, (_, build) => {
  const manifests = kubectlMissing === '' ? build() : [];
  const pods = podTemplates(manifests);
  const ofKind = (wanted: string) => manifests.filter(({ kind }) => kind === wanted);
  const component = (name: string) =>
    pods.find(({ template }) => template.metadata.labels?.['app.kubernetes.io/component'] === name)!.template;

  test('a PodMonitor, where there is one, scrapes the coordinator alone, by a port that it names', () => {
    for (const { spec } of ofKind('PodMonitor')) {
      const selected = pods.filter(({ template }) =>
        selects(spec.selector.matchLabels, template.metadata.labels),
      );
      expect(selected.map(({ template }) => template)).toEqual([component('coordinator')]);
      const ports = containersOf(component('coordinator')).flatMap((container) => container.ports ?? []);
      for (const { port } of spec.podMetricsEndpoints) {
        expect(ports.map(({ name }: Manifest) => name)).toContain(port);
      }
    }
  });

  test('the program accepts its command lines and its run file', async () => {
    for (const container of pods.flatMap(({ template }) => containersOf(template))) {
      const [program, ...rest] = words(container, manifests);
      if (program === 'nats-server') continue;
      // Process 1 must not be Node; the image's entry point does not count where there is a command.
      expect([program, ...rest.slice(0, 2)]).toEqual(['tini', '--', 'fcaenet']);
      const args = rest.slice(2);
      // The run file is in the ConfigMap.
      const file = args.findIndex((word) => word.endsWith('/run.yaml'));
      if (file >= 0) {
        const text = find(manifests, 'ConfigMap', 'run').data['run.yaml'];
        const overrides = args.filter((word) => word.startsWith('--set=')).map((word) => word.slice(6));
        const { operation, dataset } = parseTrainingRun(text, 'run.yaml', overrides).spec;
        expect(operation).toMatchObject({
          listen: '0.0.0.0:7400',
          metrics: '0.0.0.0:9464',
          runsDirectory: '/runs',
        });
        expect(dataset.path).toBe(find(manifests, 'ConfigMap', 'run').data.datasetPath);
        args[file] = 'examples/quick.yaml';
        await parseCommandLine(...args);
      } else {
        const [call] = await parseCommandLine(...args);
        expect(['work', 'workOnDevices', 'make', 'check']).toContain(call!.action);
        if (call!.action === 'workOnDevices') {
          expect(call!.options[0]).toMatchObject({
            on: { devices: 'all' },
            connect: 'coordinator.space.svc:7400',
            peering: {
              listen: { host: '0.0.0.0', port: 7402 },
              advertise: { host: '10.0.0.7', port: null },
            },
            name: 'workers-0-abcde',
            expectRestart: true,
          });
        }
        if (call!.action === 'work') {
          expect(call!.options[0]).toMatchObject({
            connect: 'coordinator.space.svc:7400',
            name: 'workers-0-abcde',
            expectRestart: true,
          });
        }
      }
    }
  });

  test('every file of a command line lies in something that is mounted', () => {
    for (const container of pods.flatMap(({ template }) => containersOf(template))) {
      const mounted = container.volumeMounts.map(({ mountPath }: { mountPath: string }) => mountPath);
      const paths = words(container, manifests).flatMap((word) => word.match(/(?<=^|=)\/[^:]+$/g) ?? []);
      const outside = paths.filter(
        (path) => !mounted.some((at: string) => path === at || path.startsWith(`${at}/`)),
      );
      expect(outside).toEqual([]);
    }
  });

  test('pods refer to what is there, or to Secrets and claims that the README creates', () => {
    const page =
      readFileSync('deploy/overlays/vegfru-48bit/README.md', 'utf8') +
      readFileSync('docs/kubernetes.md', 'utf8');
    const names = (kind: string) => ofKind(kind).map(({ metadata }) => metadata.name);
    for (const volume of pods.flatMap(({ template }) => template.spec.volumes as Manifest[])) {
      if (volume.configMap) expect(names('ConfigMap')).toContain(volume.configMap.name);
      if (volume.secret) expect(page).toContain(`create secret generic ${volume.secret.secretName} `);
      const claim = volume.persistentVolumeClaim?.claimName;
      if (claim) expect([...names('PersistentVolumeClaim'), 'FILL-IN-DATASET-CLAIM']).toContain(claim);
    }
    expect(names('ServiceAccount')).toEqual(['fcaenet']);
  });

  test('Services and network policies select pods that are there', () => {
    const labels = pods.map(({ template }) => template.metadata.labels);
    const selectors = [
      ...ofKind('Service').map(({ spec }) => spec.selector),
      ...ofKind('NetworkPolicy').map(({ spec }) => spec.podSelector.matchLabels),
    ];
    expect(selectors.filter((selector) => !labels.some((each) => selects(selector, each)))).toEqual([]);
  });

  test('workers find the coordinator before it is ready', () => {
    expect(find(manifests, 'Service', 'coordinator').spec).toMatchObject({
      clusterIP: 'None',
      publishNotReadyAddresses: true,
    });
  });

  test('only workers reach the coordinator, only these a worker, only Prometheus its metrics, and nobody anything else', () => {
    const policies = ofKind('NetworkPolicy').map(({ spec }) => spec);
    const reach = (name: string) =>
      policies
        .filter(({ podSelector }) => selects(podSelector.matchLabels, component(name).metadata.labels))
        .flatMap(({ ingress = [] }) => ingress)
        .flatMap(({ from, ports }) => ports.map(({ port }: { port: string | number }) => ({ from, port })));
    const [workers, prometheus, ...others] = reach('coordinator');
    expect([others, workers.port]).toEqual([[], 'workers']);
    for (const { template } of pods) {
      const letIn = workers.from.some(({ podSelector }: Manifest) =>
        selects(podSelector.matchLabels, template.metadata.labels),
      );
      expect(letIn).toBe(template === component('worker'));
    }
    expect(prometheus).toEqual({
      from: [
        {
          namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } },
          podSelector: { matchLabels: { 'app.kubernetes.io/name': 'prometheus' } },
        },
      ],
      port: 'metrics',
    });
    const [peers, ...noOthers] = reach('worker');
    expect([noOthers, peers.port]).toEqual([[], 7402]);
    for (const { template } of pods) {
      const letIn = peers.from.some(({ podSelector }: Manifest) =>
        selects(podSelector.matchLabels, template.metadata.labels),
      );
      expect(letIn).toBe([component('worker'), component('coordinator')].includes(template));
    }
    // A policy for every pod makes what no policy allows forbidden, in both directions.
    for (const { template } of pods) {
      const types = policies
        .filter(({ podSelector }) => selects(podSelector.matchLabels, template.metadata.labels))
        .flatMap(({ policyTypes }) => policyTypes);
      expect(new Set(types)).toEqual(new Set(['Ingress', 'Egress']));
    }
  });
});

describe.skipIf(kubectlMissing !== '')(`what a Job makes of exit codes${kubectlMissing}`, () => {
  const badInput = [64, 65, 66, 67, 68, 69, 70, 71, 72, 74, 76, 77, 78];
  const job = (name: string) => find(builds['deploy/base']!(), 'Job', name);

  test('the coordinator is started again but after bad input', () => {
    const verdict = (code: number) => judge(job('coordinator'), code, false);
    expect(verdict(0)).toBe('Succeeded');
    expect([75, 143].map(verdict)).toEqual(['Ignore', 'Ignore']);
    expect(badInput.map(verdict)).toEqual(badInput.map(() => 'FailJob'));
    expect([1, 73, 137].map(verdict)).toEqual(['Count', 'Count', 'Count']);
    expect(judge(job('coordinator'), 137, true)).toBe('Ignore');
    expect(job('coordinator').spec).toMatchObject({
      podReplacementPolicy: 'Failed',
      template: { spec: { restartPolicy: 'Never' } },
    });
  });

  test('a worker that cannot help is given up, and the others go on', () => {
    const verdict = (code: number) => judge(job('workers'), code, false);
    expect([75, 143].map(verdict)).toEqual(['Ignore', 'Ignore']);
    expect([...badInput, 73].map(verdict)).toEqual([...badInput, 73].map(() => 'FailIndex'));
    expect([1, 137].map(verdict)).toEqual(['Count', 'Count']);
    const { spec } = job('workers');
    expect(spec).toMatchObject({ completionMode: 'Indexed', template: { spec: { restartPolicy: 'Never' } } });
    expect(spec.parallelism).toBe(spec.completions);
    expect(spec.backoffLimitPerIndex).toBeGreaterThan(0);
  });
});

describe.skipIf(kubectlMissing !== '')(`Jobs in other hands are the same Jobs${kubectlMissing}`, () => {
  const jobs = (manifests: Manifest[]) =>
    ['coordinator', 'workers'].map((name) => find(manifests, 'Job', name).spec);

  test('JobSet', () => {
    const { replicatedJobs } = find(
      builds['deploy/overlays/cpu-synthetic + jobset']!(),
      'JobSet',
      'fcaenet',
    ).spec;
    expect(replicatedJobs.map(({ template }: Manifest) => template.spec)).toEqual(
      jobs(builds['deploy/overlays/cpu-synthetic']!()),
    );
  });

  test('Kubeflow Trainer, but for the names that it looks for', () => {
    const runtime = find(builds['deploy/kubeflow/runtime']!(), 'ClusterTrainingRuntime', 'fcaenet');
    const [coordinator, workers] = runtime.spec.template.spec.replicatedJobs.map(
      ({ template }: Manifest) => template.spec,
    );
    const image = (spec: Manifest) => {
      spec.template.spec.containers[0].image = 'fcaenet';
      return spec;
    };
    workers.template.spec.containers[0].name = 'worker';
    expect([coordinator, workers].map(image)).toEqual(jobs(builds['deploy/base']!()));
  });
});

test('an overlay asks for at most the four values, and its README has the commands from namespace to Job', () => {
  for (const [name, values] of [
    ['cpu-synthetic', 1],
    ['vegfru-48bit', 4],
    ['nabirds-48bit', 4],
  ] as const) {
    const folder = `deploy/overlays/${name}`;
    const file = values === 1 ? 'kustomization.yaml' : 'values.yaml';
    expect(readFileSync(`${folder}/${file}`, 'utf8').match(/FILL-IN-[A-Z-]+/g)).toHaveLength(values);
    const page = readFileSync(`${folder}/README.md`, 'utf8');
    for (const command of [
      `certs make certs/${name} --name coordinator.${name}.svc`,
      `kubectl create namespace ${name}`,
      ...['coordinator-tls', 'worker-tls', 'join-token'].map(
        (secret) => `--namespace ${name} create secret generic ${secret}`,
      ),
      `kubectl apply --kustomize ${folder}`,
    ]) {
      expect(page).toContain(command);
    }
  }
});

test('both images begin with tini as process 1', () => {
  const dockerfile = readFileSync('deploy/image/Dockerfile', 'utf8');
  for (const target of ['cpu', 'gpu']) {
    const [, stage] = new RegExp(`^FROM .* AS ${target}$([\\s\\S]*?)(?=^FROM |(?![\\s\\S]))`, 'm').exec(
      dockerfile,
    )!;
    expect(stage).toMatch(/apt-get install [^\n]* tini /);
    expect(stage).toMatch(/^ENTRYPOINT \["tini", "--", "fcaenet"\]$/m);
  }
});

test('the image for GPUs installs the project’s packages, and TensorFlow', () => {
  const { dependencies, peerDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
  const gpu = JSON.parse(readFileSync('deploy/image/gpu/package.json', 'utf8'));
  const lock = JSON.parse(readFileSync('deploy/image/gpu/package-lock.json', 'utf8'));
  const tensorflow = '@tensorflow/tfjs-node-gpu';
  expect(gpu.dependencies).toEqual({ ...dependencies, [tensorflow]: peerDependencies[tensorflow] });
  expect(lock.packages[''].dependencies).toEqual(gpu.dependencies);
});

describe.skipIf(kubectlMissing !== '')(`docs/kubernetes.md${kubectlMissing}`, () => {
  const overlays = documentedOverlays('docs/kubernetes.md');

  test.each(overlays)('builds what it shows: $text', async ({ text, overlay }) => {
    const manifests = buildOverlay(overlay);
    if (text.includes('jobset')) {
      expect(find(manifests, 'JobSet', 'fcaenet')).toBeDefined();
    } else if (text.includes('parallelism')) {
      expect(find(manifests, 'Job', 'workers').spec).toMatchObject({ parallelism: 8, completions: 8 });
    } else if (text.includes('dataset-check')) {
      for (const name of ['coordinator', 'workers']) {
        const { containers, initContainers } = find(manifests, 'Job', name).spec.template.spec;
        expect(initContainers.map(({ image }: Manifest) => image)).toEqual([containers[0].image]);
        const [call] = await parseCommandLine(...words(initContainers[0], manifests).slice(3));
        expect(call).toMatchObject({
          action: 'check',
          options: ['/data/vegfru', { fingerprint: /=([0-9a-f]{64})/.exec(text)![1] }],
        });
      }
    } else if (text.includes('tolerations')) {
      const { runtimeClassName, tolerations, nodeSelector } = find(manifests, 'Job', 'workers').spec.template
        .spec;
      expect({ runtimeClassName, tolerations }).toEqual({
        runtimeClassName: 'nvidia',
        tolerations: [{ key: 'nvidia.com/gpu', operator: 'Exists' }],
      });
      expect(Object.keys(nodeSelector)).toEqual(['nvidia.com/gpu.product']);
      expect(find(manifests, 'Job', 'coordinator').spec.template.spec.nodeSelector).toBeUndefined();
    } else if (text.includes('bits')) {
      const checks = examineManifests(
        parseManifests(manifests.map((each) => stringify(each)).join('---\n'), 'x'),
      );
      expect(checks.find(({ name }) => name === 'run file')).toMatchObject({
        ok: true,
        text: 'vegfru-24bit: fcaenet, 24 bits, resnet50, 40 iterations',
      });
    } else {
      const images = podTemplates(manifests).flatMap(({ template }) =>
        containersOf(template).map(({ image }) => image),
      );
      expect(new Set(images)).toEqual(new Set(['registry.example/fcaenet:cpu']));
    }
  });

  test('shows each way to change a run', () => {
    expect(overlays).toHaveLength(6);
  });
});
