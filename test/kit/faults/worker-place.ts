import { CommandLine } from '../command-line.js';
import { TcpProxy } from '../tcp-proxy.js';
import { LyingRelay } from './lying-relay.js';
import type { Fault } from './schedule.js';
import { Supervised } from './supervisor.js';

/** One worker with its own line to the coordinator, and whatever happens to the two of them. */
export class WorkerPlace {
  private process: Supervised | null = null;
  private coordinator: string | null = null;
  private isCut = false;

  private constructor(
    private readonly cwd: string,
    private readonly name: string,
    private readonly proxy: TcpProxy,
    private readonly liar: { readonly relay: LyingRelay; readonly address: string } | null,
  ) {}

  /** @param lies whether its answers may have to be falsified; the relay for it costs time */
  static async open(cwd: string, name: string, lies: boolean): Promise<WorkerPlace> {
    const proxy = await TcpProxy.to(null);
    const liar = lies ? await LyingRelay.open() : null;
    if (liar) liar.relay.target = addressOf(proxy);
    return new WorkerPlace(cwd, name, proxy, liar);
  }

  get restarts(): number {
    return this.process?.restarts ?? 0;
  }

  get endings(): readonly string[] {
    return this.process?.endings ?? [];
  }

  /** The coordinator listens here now; the worker starts when there is the first. */
  coordinatorAt(address: string): void {
    this.coordinator = address;
    if (!this.isCut) this.proxy.leadTo(address);
    const dialled = this.liar?.address ?? addressOf(this.proxy);
    const flags = ['--connect', dialled, '--data', 'data', '--cache', 'cache', '--name', this.name];
    this.process ??= new Supervised(() => new CommandLine(['worker', ...flags], { cwd: this.cwd }));
  }

  /** Lets one of a worker's faults happen. */
  apply({ kind, durationMs }: Fault): void {
    const { proxy, liar } = this;
    const process = this.process?.current;
    if (kind === 'kill') process?.kill('SIGKILL');
    else if (kind === 'stop') {
      process?.kill('SIGSTOP');
      setTimeout(() => process?.kill('SIGCONT'), durationMs);
    } else if (kind === 'cut') {
      this.isCut = true;
      proxy.leadTo(null);
      proxy.cut();
      setTimeout(() => {
        this.isCut = false;
        proxy.leadTo(this.coordinator);
      }, durationMs);
    } else if (kind === 'slow') {
      proxy.throttle(2_000_000);
      setTimeout(() => proxy.throttle(Number.POSITIVE_INFINITY), durationMs);
    } else if (kind === 'corrupt-up') proxy.corruptNext('up');
    else if (kind === 'corrupt-down') proxy.corruptNext('down');
    else if (kind === 'nan' || kind === 'length') liar?.relay.lieNext(kind);
  }

  async close(): Promise<void> {
    await this.process?.stop();
    this.liar?.relay.close();
    await this.proxy.close();
  }
}

function addressOf(proxy: TcpProxy): string {
  return `127.0.0.1:${proxy.port}`;
}
