import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { freePort } from '../free-port.js';
import { jobSetWebhooks } from './jobset-webhooks.js';
import { customResourceFolder, schemasMissing } from './schemas.js';

const list = [process.execPath, 'scripts/kubernetes-api-server.mjs', '--list'] as const;
const programs = JSON.parse(execFileSync(list[0], list.slice(1), { encoding: 'utf8' })) as Record<
  'kube-apiserver' | 'kubectl' | 'jobset',
  string
>;
const variable = 'FCAENET_TEST_API_SERVER';

/** Empty where the servers are there and were asked for; else why tests that need them are skipped. */
export const apiServerMissing = whyNoServer();

function whyNoServer(): string {
  if (process.env[variable] !== '1') return ` (skipped: ${variable} is not 1)`;
  const absent = Object.entries(programs).filter(([, path]) => !existsSync(path));
  if (absent.length > 0)
    return ` (skipped: ${absent.map(([name]) => name).join(', ')} not built; npm run setup:kubernetes)`;
  return schemasMissing;
}

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export interface Answer {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * An API server of Kubernetes over an etcd of its own, with the custom resources that deploy/ uses and JobSet's webhooks.
 * There are no nodes, and no controllers but JobSet's: what is applied stays as the server took it.
 */
export class ApiServer {
  private readonly children: ChildProcess[] = [];

  private constructor(
    private readonly folder: string,
    private readonly config: string,
  ) {}

  /** @param tls folder with `tls.crt`, `tls.key` and `ca.crt` for `localhost`, for the webhooks */
  static async start(tls: string): Promise<ApiServer> {
    const folder = mkdtempSync(join(tmpdir(), 'fcaenet-kubernetes-'));
    const server = new ApiServer(folder, join(folder, 'kubeconfig'));
    try {
      await server.startServer();
      await server.addCustomResources();
      await server.startJobSet(tls);
      return server;
    } catch (error) {
      server.remove();
      throw error;
    }
  }

  /** What a shell command does whose `kubectl` asks this server. */
  shell(command: string, input = ''): Promise<Answer> {
    const path = [dirname(programs.kubectl), process.env.PATH].join(delimiter);
    const env = { ...process.env, KUBECONFIG: this.config, PATH: path };
    return new Promise((resolve) => {
      const child = execFile(
        'bash',
        ['-c', command],
        { env, maxBuffer: 1 << 28 },
        (error, stdout, stderr) => {
          resolve({ exitCode: error ? Number(error.code ?? 1) : 0, stdout, stderr });
        },
      );
      child.stdin!.end(input);
    });
  }

  /** What `kubectl` prints. Throws its complaint where it fails, or warns. */
  async kubectl(command: string, input = ''): Promise<string> {
    const { exitCode, stdout, stderr } = await this.shell(`kubectl ${command}`, input);
    if (exitCode !== 0 || stderr !== '') throw new Error(`kubectl ${command}: ${exitCode} ${stderr}`);
    return stdout;
  }

  /** Ends all servers, and forgets everything. */
  remove(): void {
    for (const child of this.children) child.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async startServer(): Promise<void> {
    const { folder } = this;
    const [etcd, peers, port] = [await freePort(), await freePort(), await freePort()];
    const url = `http://127.0.0.1:${etcd}`;
    const peerUrl = `http://127.0.0.1:${peers}`;
    const ofEtcd = {
      'data-dir': join(folder, 'etcd'),
      'listen-client-urls': url,
      'advertise-client-urls': url,
    };
    const ofPeers = { 'listen-peer-urls': peerUrl, 'initial-advertise-peer-urls': peerUrl };
    const cluster = { 'initial-cluster': `default=${peerUrl}`, 'unsafe-no-fsync': 'true' };
    this.spawn('etcd', { ...ofEtcd, ...ofPeers, ...cluster });
    const key = join(folder, 'accounts.key');
    execFileSync('openssl', ['genrsa', '-out', key, '2048'], { stdio: 'ignore' });
    const tokens = join(folder, 'tokens.csv');
    writeFileSync(tokens, 'token,admin,admin,"system:masters"\n');
    this.spawn(programs['kube-apiserver'], {
      'etcd-servers': url,
      'bind-address': '127.0.0.1',
      'secure-port': String(port),
      'cert-dir': join(folder, 'certificates'),
      'token-auth-file': tokens,
      'authorization-mode': 'RBAC',
      'service-account-issuer': 'https://kubernetes.test',
      'service-account-key-file': key,
      'service-account-signing-key-file': key,
      'service-cluster-ip-range': '10.0.0.0/24',
      // Of controllers that are not there.
      'disable-admission-plugins': 'ServiceAccount,StorageObjectInUseProtection',
    });
    const address = { server: `https://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true };
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'test',
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
      clusters: [{ name: 'test', cluster: address }],
      users: [{ name: 'admin', user: { token: 'token' } }],
    };
    writeFileSync(this.config, stringify(config));
    await this.until('the API server is ready', 'kubectl get --raw /readyz');
  }

  private async addCustomResources(): Promise<void> {
    const files = readdirSync(customResourceFolder).filter((name) => name.endsWith('.crd.yaml'));
    // Conversion is a webhook of controllers that are not there; each kind is used in one version alone.
    const texts = files.map((name) =>
      readFileSync(join(customResourceFolder, name), 'utf8').replace(/^ {2}conversion:\n(?: {4}.*\n)+/m, ''),
    );
    await this.kubectl('create --filename -', texts.join('\n---\n'));
    const established = '--for=condition=Established customresourcedefinitions --all --timeout=2m';
    await this.until('the custom resources are served', `kubectl wait ${established}`);
  }

  private async startJobSet(tls: string): Promise<void> {
    const [port, health] = [await freePort(), await freePort()];
    const config = join(this.folder, 'jobset.yaml');
    const settings = {
      apiVersion: 'config.jobset.x-k8s.io/v1alpha1',
      kind: 'Configuration',
      webhook: { host: '127.0.0.1', port, certDir: tls },
      leaderElection: { leaderElect: false },
      internalCertManagement: { enable: false },
      metrics: { bindAddress: '0' },
      health: { healthProbeBindAddress: `127.0.0.1:${health}` },
    };
    writeFileSync(config, stringify(settings));
    this.spawn(programs.jobset, { config, kubeconfig: this.config });
    await this.until('JobSet is ready', `curl --fail --silent http://127.0.0.1:${health}/readyz`);
    const authority = readFileSync(join(tls, 'ca.crt')).toString('base64');
    const webhooks = jobSetWebhooks(`https://localhost:${port}`, authority);
    await this.kubectl('create --filename -', webhooks.map((each) => stringify(each)).join('---\n'));
  }

  private spawn(program: string, flags: Readonly<Record<string, string>>): void {
    mkdirSync(this.folder, { recursive: true });
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    const child = spawn(program, args, { stdio: 'ignore', env: { ...process.env, KUBECONFIG: this.config } });
    this.children.push(child);
    running.add(child);
    child.once('exit', () => running.delete(child));
  }

  private async until(what: string, command: string): Promise<void> {
    while ((await this.shell(command)).exitCode !== 0) {
      const ended = this.children.find(({ exitCode }) => exitCode !== null);
      if (ended) throw new Error(`${ended.spawnfile} ended with ${ended.exitCode} before ${what}`);
      await sleep(200);
    }
  }
}
