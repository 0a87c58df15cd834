import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { LogLine } from '../command-line.js';
import { firstProcess } from '../pid-namespace.js';
import { containerScript, searchPath } from './container-script.js';
import type { Manifest } from './kustomize.js';
import type { PodOptions } from './pod-options.js';

/** Why this machine cannot run a pod's processes as a node does; empty where it can. For the title of a skipped test. */
export const podsMissing = whyNoPods();

function whyNoPods(): string {
  if (process.getuid?.() !== 0) return ' (skipped: needs root)';
  try {
    execFileSync('unshare', ['--mount', '--uts', '--pid', '--fork', 'mount', '-t', 'proc', 'proc', '/proc']);
    execFileSync('setpriv', ['--reuid=65532', '--regid=65532', '--clear-groups', 'true']);
    execFileSync('ip', ['netns', 'list']);
    return '';
  } catch {
    return ' (skipped: needs a kernel with namespaces, unshare, setpriv and ip)';
  }
}

/** The container that ended, and how; `exitCode` is what Kubernetes would show, 128 and the number after a signal. */
export interface PodEnding {
  readonly container: string;
  readonly exitCode: number;
  readonly stderr: string;
}

/**
 * One pod as its manifest says: the same command, arguments, environment and paths, in a file system of its own whose
 * root is read-only, with the user, groups and capabilities of the security context, and its program as process 1.
 * The image is this machine's /usr with the project on top.
 */
export class Pod {
  readonly lines: LogLine[] = [];
  readonly ended: Promise<PodEnding>;
  private readonly listeners = new Set<(line: LogLine) => void>();
  private process: { first(): number | null; signal(name: NodeJS.Signals): void } | null = null;

  constructor(readonly options: PodOptions) {
    this.ended = this.run();
  }

  get name(): string {
    return this.options.name;
  }

  get graceSeconds(): number {
    return this.options.template.spec.terminationGracePeriodSeconds;
  }

  /** SIGTERM as the kubelet sends it, and SIGKILL when the grace period is over. */
  async terminate(): Promise<PodEnding> {
    this.process?.signal('SIGTERM');
    const kill = setTimeout(() => this.process?.signal('SIGKILL'), this.graceSeconds * 1000);
    const ending = await this.ended;
    clearTimeout(kill);
    return ending;
  }

  /** What the kernel does to a process that takes too much memory. */
  kill(): void {
    this.process?.signal('SIGKILL');
  }

  /** The first log line with this message, past or to come; rejects when the pod ends before it. */
  line(message: string, matches: (line: LogLine) => boolean = () => true): Promise<LogLine> {
    const wanted = (line: LogLine) => line.message === message && matches(line);
    const seen = this.lines.find(wanted);
    if (seen) return Promise.resolve(seen);
    return new Promise((resolve, reject) => {
      this.listeners.add((line) => wanted(line) && resolve(line));
      void this.ended.then(({ exitCode, stderr }) =>
        reject(new Error(`${this.name} ended with ${exitCode} before '${message}': ${stderr}`)),
      );
    });
  }

  /** The status of an HTTP probe of the main container, asked as the kubelet does. */
  probe(kind: 'startupProbe' | 'livenessProbe' | 'readinessProbe'): number {
    const container = this.options.template.spec.containers[0];
    const { path, port } = container[kind].httpGet as { path: string; port: string };
    const number = container.ports.find((each: { name: string }) => each.name === port).containerPort;
    const script = `fetch('http://127.0.0.1:${number}${path}').then((r) => console.log(r.status), () => console.log(0))`;
    const within = ['netns', 'exec', this.options.network, process.execPath, '-e', script];
    return Number(execFileSync('ip', within, { encoding: 'utf8' }));
  }

  /** What a command prints that runs beside the program, as `kubectl exec` does it. Throws where it fails. */
  exec(...command: string[]): string {
    const { runAsUser, runAsGroup } = this.options.template.spec.securityContext;
    const into = [
      '--mount',
      '--pid',
      '--net',
      '--root',
      '--wd=/',
      `--setuid=${runAsUser}`,
      `--setgid=${runAsGroup}`,
    ];
    const program = ['env', '-i', `PATH=${searchPath}`, ...command];
    return execFileSync('nsenter', [`--target=${this.process!.first()}`, ...into, ...program], {
      encoding: 'utf8',
    });
  }

  private async run(): Promise<PodEnding> {
    const { initContainers = [], containers } = this.options.template.spec;
    let ending: PodEnding | null = null;
    for (const container of [...initContainers, ...containers]) {
      ending = await this.runContainer(container);
      if (ending.exitCode !== 0) return ending;
    }
    return ending!;
  }

  private async runContainer(container: Manifest): Promise<PodEnding> {
    const { network, hostname } = this.options;
    const script = containerScript(container, this.options);
    const args = ['netns', 'exec', network, 'unshare', '--mount', '--uts', '--ipc', '--pid', '--fork'];
    const child = spawn('ip', [...args, '--kill-child=SIGKILL', 'sh', '-euc', script, 'sh', hostname], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let killed = false;
    const first = () => firstProcess(child.pid!);
    const signal = (name: NodeJS.Signals) => {
      killed ||= name === 'SIGKILL';
      const pid = first();
      if (pid !== null) process.kill(pid, name);
    };
    this.process = { first, signal };
    createInterface({ input: child.stdout }).on('line', (text) => {
      if (!text.startsWith('{')) return;
      const line = JSON.parse(text) as LogLine;
      this.lines.push(line);
      for (const listener of this.listeners) listener(line);
    });
    let stderr = '';
    child.stderr.on('data', (data: Buffer) => {
      stderr += data.toString();
    });
    const [code] = (await once(child, 'close')) as [number | null];
    // `unshare` itself says 1 of a child that was killed.
    const exitCode = killed ? 137 : (code ?? 128);
    return { container: String(container.name), exitCode, stderr };
  }
}

/** A suffix as Kubernetes gives it to pods. */
export function podSuffix(): string {
  return randomBytes(3).toString('hex').slice(0, 5);
}
