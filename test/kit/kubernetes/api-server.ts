import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse, stringify } from 'yaml';
import { freePort } from '../free-port.js';
import { type Manifest, yamlOf } from './kustomize.js';
import { programs } from './programs.js';
import { customResourceFolder } from './schemas.js';

export interface Answer {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * An API server of Kubernetes over an etcd of its own, with the custom resources that deploy/ uses. There are no nodes, and
 * no controllers but those of managers.ts that a test starts: what is applied stays as the server took it.
 */
export class ApiServer {
  private readonly children: { readonly process: ChildProcess; readonly log: string }[] = [];

  private constructor(
    readonly folder: string,
    /** The kubeconfig of its administrator. */
    readonly config: string,
  ) {}

  static async start(): Promise<ApiServer> {
    const folder = mkdtempSync(join(tmpdir(), 'fcaenet-kubernetes-'));
    const server = new ApiServer(folder, join(folder, 'kubeconfig'));
    try {
      await server.startServer();
      await server.createResources(publishedResources());
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
    for (const { process } of this.children) process.kill('SIGKILL');
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

  /** Creates custom resources that the server does not have yet, and waits until it serves them. */
  async createResources(definitions: readonly Manifest[]): Promise<void> {
    // Conversion is a webhook that is not there; each kind is used in one version alone.
    const objects = definitions.map(({ spec: { conversion: _, ...spec }, ...rest }) => ({ ...rest, spec }));
    await this.kubectl('apply --server-side --force-conflicts --filename -', yamlOf(objects));
    const established = '--for=condition=Established customresourcedefinitions --all --timeout=2m';
    await this.until('the custom resources are served', `kubectl wait ${established}`);
  }

  /**
   * Starts a program beside the server, until it is removed.
   * @param before words that go before the program: another one, that starts it
   */
  spawn(program: string, flags: Readonly<Record<string, string>>, before: readonly string[] = []): void {
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    // It ends with this process, however that ends.
    const [command, ...rest] = ['setpriv', '--pdeathsig', 'KILL', ...before, program, ...args];
    const log = join(this.folder, `${basename(program)}.log`);
    const output = openSync(log, 'w');
    const env = { ...process.env, KUBECONFIG: this.config };
    const child = spawn(command!, rest, { stdio: ['ignore', output, output], env });
    closeSync(output);
    this.children.push({ process: child, log });
  }

  /** Waits until a command succeeds; throws if one of the programs ends before. */
  async until(what: string, command: string): Promise<void> {
    while ((await this.shell(command)).exitCode !== 0) {
      this.check(`before ${what}`);
      await sleep(200);
    }
  }

  /** Throws if one of the programs has ended. @param when for the message */
  check(when: string): void {
    const ended = this.children.find(
      ({ process: { exitCode, signalCode } }) => exitCode !== null || signalCode !== null,
    );
    if (!ended) return;
    throw new Error(`A program ended ${when}: ${readFileSync(ended.log, 'utf8').slice(-2000)}`);
  }
}

function publishedResources(): Manifest[] {
  return readdirSync(customResourceFolder)
    .filter((name) => name.endsWith('.crd.yaml'))
    .map((name) => parse(readFileSync(join(customResourceFolder, name), 'utf8')) as Manifest);
}
