import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { freePort } from '../free-port.js';
import type { ApiServer } from './api-server.js';
import { type Manifest, yamlOf } from './kustomize.js';
import { programs } from './programs.js';

/** Kubernetes' own controllers: that of Jobs, and the one that deletes what belongs to a deleted object. */
export function startControllers(server: ApiServer): void {
  server.spawn(programs['kube-controller-manager'], {
    kubeconfig: server.config,
    controllers: 'job-controller,garbage-collector-controller',
    'leader-elect': 'false',
    'secure-port': '0',
  });
}

/**
 * JobSet's manager, with its webhooks.
 * @param tls folder with `tls.crt`, `tls.key` and `ca.crt` for `localhost`
 */
export async function startJobSet(server: ApiServer, tls: string): Promise<void> {
  const manager = await Manager.of(server, 'jobset', tls);
  await manager.registerResources();
  await manager.start({ apiVersion: 'config.jobset.x-k8s.io/v1alpha1' });
  await manager.registerWebhooks();
}

/** Kueue, with its webhooks, for Jobs and JobSets. `tls` as for `startJobSet`. */
export async function startKueue(server: ApiServer, tls: string): Promise<void> {
  const manager = await Manager.of(server, 'kueue', tls);
  await manager.registerResources();
  await manager.start(
    {
      apiVersion: 'config.kueue.x-k8s.io/v1beta2',
      integrations: { frameworks: ['batch/job', 'jobset.x-k8s.io/jobset'] },
      featureGates: { VisibilityOnDemand: false },
    },
    // It reads a certificate there even where nobody may ask it for metrics.
    '/etc/kueue/metrics/certs',
  );
  await manager.registerWebhooks();
}

/** A program that watches the server's objects and that the server asks before it takes some of them. */
class Manager {
  private constructor(
    private readonly server: ApiServer,
    private readonly name: 'jobset' | 'kueue',
    private readonly tls: string,
    private readonly port: number,
    private readonly health: number,
  ) {}

  static async of(server: ApiServer, name: 'jobset' | 'kueue', tls: string): Promise<Manager> {
    return new Manager(server, name, tls, await freePort(), await freePort());
  }

  /** @param certificates folder below /etc that holds a certificate in the manager's container, if one does */
  async start(configuration: object, certificates?: string): Promise<void> {
    const config = join(this.server.folder, `${this.name}.yaml`);
    const settings = {
      ...configuration,
      kind: 'Configuration',
      metrics: { bindAddress: '0' },
      webhook: { host: '127.0.0.1', port: this.port, certDir: this.tls },
      leaderElection: { leaderElect: false },
      internalCertManagement: { enable: false },
      health: { healthProbeBindAddress: `127.0.0.1:${this.health}` },
    };
    writeFileSync(config, stringify(settings));
    const flags = { config, kubeconfig: this.server.config };
    const before = certificates === undefined ? [] : this.withCertificate(certificates);
    this.server.spawn(programs[this.name], flags, before);
    const ready = `curl --fail --silent http://127.0.0.1:${this.health}/readyz`;
    await this.server.until(`${this.name} is ready`, ready);
  }

  async registerResources(): Promise<void> {
    await this.server.createResources(this.registered('CustomResourceDefinition'));
  }

  /** Lets the server ask the manager, at an address outside the cluster. */
  async registerWebhooks(): Promise<void> {
    const caBundle = readFileSync(join(this.tls, 'ca.crt')).toString('base64');
    const configurations = ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'].flatMap(
      (kind) => this.registered(kind),
    );
    const objects = configurations.map((each) => ({
      ...each,
      metadata: { name: this.name },
      webhooks: each.webhooks.map(({ clientConfig, ...webhook }: Manifest) => ({
        ...webhook,
        clientConfig: { url: `https://localhost:${this.port}${clientConfig.service.path}`, caBundle },
      })),
    }));
    await this.server.kubectl('create --filename -', yamlOf(objects));
  }

  private registered(kind: string): Manifest[] {
    return parseAllDocuments(readFileSync(programs[`${this.name}.yaml`], 'utf8'))
      .map((document) => document.toJS() as Manifest | null)
      .filter((each) => each !== null && each.kind === kind) as Manifest[];
  }

  /** What goes before a command that is to see the certificate in this folder: an /etc of its own. */
  private withCertificate(folder: string): string[] {
    const etc = join(this.server.folder, `${this.name}-etc`);
    const target = join(etc, folder.replace(/^\/etc\//, ''));
    mkdirSync(target, { recursive: true });
    for (const name of ['tls.crt', 'tls.key']) cpSync(join(this.tls, name), join(target, name));
    const script = 'mount --bind "$1" /etc; shift; exec "$@"';
    return ['unshare', '--mount', 'sh', '-ec', script, 'sh', etc];
  }
}
