import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { examineManifests } from '../../src/kube/examine.js';
import { parseManifests } from '../../src/kube/read-manifests.js';
import { builds, wholeRuns } from '../deploy/builds.js';
import { runCommandLine } from '../kit/command-line.js';
import { ApiServer } from '../kit/kubernetes/api-server.js';
import { documentedOverlays } from '../kit/kubernetes/documented.js';
import { fillIn } from '../kit/kubernetes/fill-in.js';
import { Kubelet } from '../kit/kubernetes/kubelet.js';
import { clusterKinds, find, kubectlMissing, type Manifest, yamlOf } from '../kit/kubernetes/kustomize.js';
import { startJobSet } from '../kit/kubernetes/managers.js';
import { buildOverlay } from '../kit/kubernetes/overlay.js';
import { apiServerMissing } from '../kit/kubernetes/programs.js';
import { shownCommands } from '../kit/pages.js';

const missing = apiServerMissing || kubectlMissing;
const minutes = 60_000;
const documented = ['docs/kubernetes.md', 'deploy/components/jobset/kustomization.yaml'].flatMap(
  documentedOverlays,
);
/** Whatever the pages say that one can apply, by name. */
const compositions: [name: string, build: () => Manifest[]][] = [
  ...Object.entries(builds).filter(([name]) => name !== 'deploy/kubeflow/runtime/copy'),
  ...documented.map(({ text, overlay }): [string, () => Manifest[]] => [text, () => buildOverlay(overlay)]),
];

const filledIn = (manifests: readonly Manifest[]) => fillIn(yamlOf(manifests));

const namespaceOf = (manifests: readonly Manifest[]) =>
  manifests.find(({ metadata }) => metadata.namespace)?.metadata.namespace ?? 'vegfru-48bit';

describe.skipIf(missing !== '')(`an API server of Kubernetes${missing}`, () => {
  let folder: string;
  let server: ApiServer;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'fcaenet-api-server-'));
    const make = ['certs', 'make', 'certs', '--name', 'localhost'];
    expect(await runCommandLine(make, { cwd: folder })).toMatchObject({ exitCode: 0, stderr: '' });
    server = await ApiServer.start();
    await startJobSet(server, join(folder, 'certs/coordinator'));
    for (const name of ['fcaenet', 'vegfru-48bit', 'nabirds-48bit', 'cpu-synthetic', 'monitoring']) {
      await server.kubectl(`create namespace ${name}`);
    }
  }, 10 * minutes);
  afterAll(() => {
    server?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Applies, gives what the server has then, and takes it away when `look` has seen it. */
  async function applied(text: string, flags: string, look: (apply: string) => Promise<void>): Promise<void> {
    const apply = `${flags} apply --validate=strict --filename -`;
    try {
      await look(apply);
    } finally {
      await server.shell(
        `kubectl ${flags} delete --ignore-not-found --cascade=background --filename -`,
        text,
      );
    }
  }

  test.each(compositions)(
    'takes, as often as it is applied, without a warning, and each object in its namespace: %s',
    async (name, build) => {
      const manifests = build();
      const text = filledIn(manifests);
      const namespace = namespaceOf(manifests);
      const hasNamespace = manifests.some(({ metadata }) => metadata.namespace);
      const flags = hasNamespace ? '' : `--namespace ${namespace}`;
      await applied(text, flags, async (apply) => {
        const created = (await server.kubectl(apply, text)).trim().split('\n');
        expect(created.filter((line) => !/ (created|serverside-applied)$/.test(line))).toEqual([]);
        expect(created).toHaveLength(manifests.length);
        const { items } = JSON.parse(
          await server.kubectl(`${flags} get --output json --filename -`, text),
        ) as {
          items: Manifest[];
        };
        for (const { kind, metadata } of items) {
          expect([name, kind, metadata.name, metadata.namespace]).toEqual([
            name,
            kind,
            metadata.name,
            clusterKinds.has(kind) ? undefined : namespace,
          ]);
        }
        const again = (await server.kubectl(apply, text)).trim().split('\n');
        expect(again.filter((line) => !line.endsWith(' unchanged'))).toEqual([]);
      });
    },
  );

  test('refuses a JobSet that is applied again without what its webhook adds, which is why the base says it', async () => {
    const manifests = builds['deploy/overlays/cpu-synthetic + jobset']!();
    const { template } = find(manifests, 'JobSet', 'fcaenet').spec.replicatedJobs[0];
    expect(template.spec.completionMode).toBe('Indexed');
    delete template.spec.completionMode;
    const text = filledIn(manifests);
    await applied(text, '', async (apply) => {
      await server.kubectl(apply, text);
      const again = await server.shell(`kubectl ${apply}`, text);
      expect(again).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('field is immutable') });
    });
  });

  test.each(wholeRuns)('has no pod with a Secret that doctor does not name: %s', async (_, build) => {
    const text = filledIn(build());
    await applied(text, '', async (apply) => {
      await server.kubectl(apply, text);
      const kinds = 'jobs,statefulsets,jobsets';
      const held = await server.kubectl(`get ${kinds} --namespace ${namespaceOf(build())} --output yaml`);
      const mounted = new Set([...held.matchAll(/secretName: (\S+)/g)].map(([, name]) => name));
      const checks = examineManifests(parseManifests(text, 'test'));
      expect(checks.filter(({ ok }) => !ok)).toEqual([]);
      expect(checks.at(-1)!.text).toBe(`to be created first: ${[...mounted].sort().join(', ')}`);
    });
  });

  describe('with pods that a kubelet answers for', () => {
    const namespace = 'cpu-synthetic';
    const words = shownCommands()
      .filter(([page]) => page === 'docs/kubernetes.md')
      .map(([, command]) => command.replaceAll('vegfru-48bit', namespace));
    const commandWith = (...parts: string[]) =>
      words.find((command) => parts.every((part) => command.includes(part)))!;
    const readLogs = commandWith(' logs ', 'component=coordinator');
    const findRunning = commandWith(' get pods ', 'component=coordinator');
    let kubelet: Kubelet;

    /** A pod of the coordinator's Job, on the node, as far along as its status says. */
    async function pod(name: string, status: object): Promise<void> {
      const job = find(builds['deploy/overlays/cpu-synthetic']!(), 'Job', 'coordinator');
      const { metadata, spec } = job.spec.template;
      const object = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { ...metadata, name, namespace },
        spec: { ...spec, nodeName: 'node' },
      };
      await server.kubectl('create --filename -', JSON.stringify(object));
      await setStatus(`pod ${name}`, status);
    }

    const setStatus = (object: string, status: object) =>
      server.kubectl(
        `--namespace ${namespace} patch ${object} --subresource=status --type=merge --patch '${JSON.stringify({ status })}'`,
      );

    beforeAll(async () => {
      kubelet = await Kubelet.start(join(folder, 'certs/coordinator'));
      await server.kubectl(
        'create --filename -',
        JSON.stringify({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'node' } }),
      );
      await setStatus('node node', {
        addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
        daemonEndpoints: { kubeletEndpoint: { Port: kubelet.port } },
      });
      await pod('coordinator-0-dead', { phase: 'Failed' });
      kubelet.logs.set(`${namespace}/coordinator-0-dead/dataset`, 'dataset ready\n');
      kubelet.logs.set(`${namespace}/coordinator-0-dead/coordinator`, 'checkpoint written\n');
      await pod('coordinator-0-next', { phase: 'Pending' });
      kubelet.logs.set(`${namespace}/coordinator-0-next/dataset`, 'drawing\n');
    }, 5 * minutes);
    afterAll(() => kubelet?.close());

    test('the documented commands work while the dataset is drawn', async () => {
      const { exitCode, stdout } = await server.shell(readLogs);
      expect({ exitCode, lines: stdout.trim().split('\n').sort() }).toEqual({
        exitCode: 0,
        lines: [
          'checkpoint written',
          'dataset ready',
          'drawing',
          `error: container ${namespace}/coordinator-0-next/coordinator is waiting to start: PodInitializing`,
        ],
      });
      expect(await server.shell(findRunning)).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    });

    test('and find the pod that runs beside the one that has ended', async () => {
      await setStatus('pod coordinator-0-next', { phase: 'Running' });
      kubelet.logs.set(`${namespace}/coordinator-0-next/coordinator`, 'resuming\n');
      const { exitCode, stdout } = await server.shell(readLogs);
      expect({ exitCode, lines: stdout.trim().split('\n').sort() }).toEqual({
        exitCode: 0,
        lines: ['checkpoint written', 'dataset ready', 'drawing', 'resuming'],
      });
      expect(await server.shell(findRunning)).toEqual({
        exitCode: 0,
        stdout: 'pod/coordinator-0-next\n',
        stderr: '',
      });
    });

    test('a quota of limits.cpu refuses pods, until the LimitRange of the page is there', async () => {
      const quota = 'quota limits';
      await server.kubectl(`--namespace ${namespace} create ${quota} --hard=limits.cpu=64`);
      await setStatus(quota, { hard: { 'limits.cpu': '64' }, used: { 'limits.cpu': '0' } });
      await expect(pod('coordinator-0-refused', { phase: 'Pending' })).rejects.toThrow(
        'must specify limits.cpu for: coordinator,dataset',
      );
      const [limits] = /apiVersion: v1\n +kind: LimitRange\n.*\n.*\n/.exec(
        readFileSync('docs/kubernetes.md', 'utf8'),
      )!;
      const text = limits.replace(/^ +/gm, '');
      await server.kubectl(`--namespace ${namespace} apply --validate=strict --filename -`, text);
      await pod('coordinator-0-limited', { phase: 'Pending' });
    });
  });
});
