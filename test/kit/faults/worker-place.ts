import { CommandLine } from '../command-line.js';
import { DisturbedLine } from './disturbed-line.js';
import { LyingRelay } from './lying-relay.js';
import type { Fault } from './schedule.js';
import { Supervised } from './supervisor.js';

/** One worker with its own line to the coordinator, and whatever happens to the two of them. */
export class WorkerPlace {
  private process: Supervised | null = null;

  private constructor(
    private readonly cwd: string,
    private readonly name: string,
    private readonly proxy: DisturbedLine,
    private readonly liar: { readonly relay: LyingRelay; readonly address: string } | null,
  ) {}

  /** @param lies whether its answers may have to be falsified; the relay for it costs time */
  static async open(cwd: string, name: string, lies: boolean): Promise<WorkerPlace> {
    const proxy = await DisturbedLine.open();
    const liar = lies ? await LyingRelay.open() : null;
    if (liar) liar.relay.target = proxy.address;
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
    this.proxy.target = address;
    const dialled = this.liar?.address ?? this.proxy.address;
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
      proxy.cut();
      setTimeout(() => proxy.restore(), durationMs);
    } else if (kind === 'slow') {
      proxy.bytesPerSecond = 2_000_000;
      setTimeout(() => {
        proxy.bytesPerSecond = null;
      }, durationMs);
    } else if (kind === 'corrupt-up') proxy.corruptNext('up');
    else if (kind === 'corrupt-down') proxy.corruptNext('down');
    else if (kind === 'nan' || kind === 'length') liar?.relay.lieNext(kind);
  }

  async close(): Promise<void> {
    await this.process?.stop();
    this.liar?.relay.close();
    this.proxy.close();
  }
}
