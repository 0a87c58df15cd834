import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeCertificates, tlsFilesIn } from '../../src/transport/certificates.js';
import { askControlSocket } from '../../src/transport/control/socket.js';
import { CommandLine } from './command-line.js';
import { LyingRelay } from './faults/lying-relay.js';
import { Supervised } from './faults/supervisor.js';
import { freePort } from './free-port.js';
import { NatsServer } from './nats-server.js';
import { type SmallRun, smallRun } from './small-run.js';
import { StallingDisk } from './stalling-disk.js';

/** Room for a dozen checkpoints of the small run. */
const volumeMegabytes = 64;

/** Empty where a volume of a bounded size can be mounted; else why not, for a title. */
export const volumesMissing = (() => {
  const folder = mkdtempSync(join(tmpdir(), 'fcaenet-volume-'));
  try {
    mountVolume(folder);
    execFileSync('umount', [folder], { stdio: 'ignore' });
    return '';
  } catch {
    return ' (skipped: no volume can be mounted here)';
  } finally {
    rmdirSync(folder);
  }
})();

/** Mounts a volume of a bounded size at an empty folder. */
export function mountVolume(folder: string): void {
  const options = ['-t', 'tmpfs', '-o', `size=${volumeMegabytes}m`, 'none', folder];
  execFileSync('mount', options, { stdio: 'ignore' });
}

/**
 * A run without end on a volume of its own, with a NATS server and two workers, of which the second can be made to lie.
 * The coordinator's disk can be made not to answer.
 * Checkpoints are written when they are asked for.
 */
export class WatchedRun {
  private coordinator: CommandLine;
  workers: Supervised[] = [];
  private readonly address: string;
  readonly disk = new StallingDisk();

  private constructor(
    private readonly small: SmallRun,
    readonly nats: NatsServer,
    readonly relay: LyingRelay,
    private readonly relayAddress: string,
    port: number,
    readonly metrics: string,
  ) {
    this.address = `127.0.0.1:${port}`;
    relay.target = this.address;
    this.coordinator = this.startCoordinator();
    this.startWorkers();
  }

  static async open(): Promise<WatchedRun> {
    const [small, nats, { relay, address }] = await Promise.all([
      smallRun(),
      NatsServer.start(),
      LyingRelay.open(),
    ]);
    const volume = join(small.folder, 'runs');
    mkdirSync(volume);
    mountVolume(volume);
    const metrics = `127.0.0.1:${await freePort()}`;
    return new WatchedRun(small, nats, relay, address, await freePort(), metrics);
  }

  /** The folder of the run's directory, a file system of its own. */
  get volume(): string {
    return join(this.small.folder, 'runs');
  }

  /** Kills the coordinator and lets another go on from the newest checkpoint. */
  async restartCoordinator(): Promise<void> {
    this.coordinator.kill('SIGKILL');
    await this.coordinator.ended;
    this.coordinator = this.startCoordinator();
  }

  startWorkers(): void {
    this.workers = [this.address, this.relayAddress].map((dialled, place) => {
      const flags = ['--connect', dialled, '--data', 'data', '--cache', 'cache', '--name', `place-${place}`];
      const start = () => new CommandLine(['worker', ...flags], { cwd: this.small.folder });
      return new Supervised(start);
    });
  }

  /** Starts the coordinator of another run, which nobody joins, with certificates for so many days. */
  async startOther(metrics: string, days: number): Promise<CommandLine> {
    const directory = join(this.small.folder, `certs-${days}`);
    await makeCertificates({ directory, names: [], days, nowMs: Date.now() });
    const settings = [
      'metadata.name=other',
      `spec.operation.runsDirectory=${join(this.small.folder, 'other-runs')}`,
      `spec.operation.metrics=${metrics}`,
      'spec.operation.lease.seconds=5',
      ...Object.entries(tlsFilesIn(directory, 'coordinator')).map(
        ([name, file]) => `spec.operation.tls.${name}=${file}`,
      ),
    ].flatMap((setting) => ['--set', setting]);
    const args = ['coordinator', this.small.runFile, '--resume=auto', ...settings];
    return new CommandLine(args, { cwd: this.small.folder });
  }

  /** Kills the workers, and starts none again. */
  async stopWorkers(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.stop()));
  }

  /** Sends a signal to every worker. */
  signal(signal: NodeJS.Signals): void {
    for (const { current } of this.workers) current.kill(signal);
  }

  async checkpoint(): Promise<void> {
    const socket = join(this.volume, 'watched', 'control.sock');
    const answer = JSON.parse(await askControlSocket(socket, JSON.stringify({ command: 'checkpoint' })));
    if (answer.ok !== true) throw new Error(JSON.stringify(answer));
  }

  /** Waits for a line of the coordinator's log. */
  line(message: string, matches?: (line: Record<string, unknown>) => boolean) {
    return this.coordinator.line(message, matches);
  }

  async close(): Promise<void> {
    this.coordinator.kill('SIGKILL');
    await Promise.all([this.coordinator.ended, this.stopWorkers()]);
    this.relay.close();
    execFileSync('umount', [this.volume]);
    this.disk.remove();
    await Promise.all([this.nats.remove(), this.small.remove()]);
  }

  private startCoordinator(): CommandLine {
    const settings = [
      'metadata.name=watched',
      `spec.operation.listen=${this.address}`,
      `spec.operation.metrics=${this.metrics}`,
      `spec.operation.nats.url=${this.nats.url}`,
      'spec.schedule.iterations=100000',
      'spec.operation.checkpoint.everySteps=null',
      'spec.operation.checkpoint.everyIterations=100000',
      // A lie must not be found out by chance.
      'spec.operation.verification.rate=0',
      // One that was killed is replaced at once.
      'spec.operation.lease.seconds=5',
    ].flatMap((setting) => ['--set', setting]);
    const args = ['coordinator', this.small.runFile, '--resume=auto', ...settings];
    return new CommandLine(args, { cwd: this.small.folder, env: this.disk.environment });
  }
}
