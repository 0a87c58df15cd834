import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NatsSettings } from '../../src/run/training-run.js';
import { freePort } from './free-port.js';

/** Empty where the server is installed; else why tests that need it are skipped, for their title. */
export const natsMissing =
  spawnSync('nats-server', ['--version']).error === undefined
    ? ''
    : ' (skipped: nats-server is not installed)';

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A real NATS server with JetStream, on a port of its own; it keeps its data when it is killed and started again. */
export class NatsServer {
  private process: ChildProcess | null = null;

  private constructor(
    private readonly folder: string,
    private readonly port: number,
    private readonly flags: readonly string[],
  ) {}

  /**
   * @param flags of nats-server, besides those for its address and JetStream
   * @param configuration the text of its configuration file
   */
  static async start(flags: readonly string[] = [], configuration = ''): Promise<NatsServer> {
    const folder = mkdtempSync(join(tmpdir(), 'fcaenet-nats-'));
    const file = join(folder, 'nats.conf');
    writeFileSync(file, configuration);
    const server = new NatsServer(folder, await freePort(), ['-c', file, ...flags]);
    await server.start();
    return server;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  get settings(): NatsSettings {
    return {
      url: this.url,
      credentials: null,
      tls: { ca: null, cert: null, key: null },
      bufferedEvents: 1000,
    };
  }

  /** Starts it where it was, and waits until it takes connections. */
  async start(hasJetStream = true): Promise<void> {
    const jetStream = hasJetStream ? ['-js', '-sd', this.folder] : [];
    const flags = ['-a', '127.0.0.1', '-p', String(this.port), ...jetStream, ...this.flags];
    const child = spawn('nats-server', flags, { stdio: 'ignore' });
    this.process = child;
    running.add(child);
    child.once('exit', () => running.delete(child));
    while (!(await this.answers())) {
      if (child.exitCode !== null) throw new Error(`nats-server ended with ${child.exitCode}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async kill(): Promise<void> {
    const child = this.process!;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }

  async remove(): Promise<void> {
    if (this.process?.exitCode === null && this.process.signalCode === null) await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private answers(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.port, '127.0.0.1');
      socket.once('data', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
  }
}
