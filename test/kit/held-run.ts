import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunStatus } from '../../src/coordinator/leadership/run-control.js';
import { askControlSocket } from '../../src/transport/control/socket.js';
import type { CommandLine, LogLine } from './command-line.js';

/** A coordinator that a test lets go on a few steps at a time, so that it need not know how fast the machine is. */
export class HeldRun {
  /** Waits until the run's workers may join; the run is held before its first step. */
  static async of(run: CommandLine, folder: string, name: string): Promise<HeldRun> {
    const held = await HeldRun.attach(run, folder, name);
    await held.ask('pause');
    return held;
  }

  /** The same of a run that goes on. */
  static async attach(run: CommandLine, folder: string, name: string, runs = 'runs'): Promise<HeldRun> {
    const { address } = await run.line('waiting for workers');
    return new HeldRun(run, join(folder, runs, name, 'control.sock'), String(address));
  }

  private constructor(
    private readonly run: CommandLine,
    private readonly socket: string,
    /** Where workers dial. */
    readonly address: string,
  ) {}

  /** Sends a control request. */
  async ask(command: string): Promise<unknown> {
    return JSON.parse(await askControlSocket(this.socket, JSON.stringify({ command })));
  }

  /** Holds the run after the step that it is in. @returns its position then */
  async hold(): Promise<RunStatus['position']> {
    await this.ask('pause');
    for (;;) {
      const { state, position } = (await this.ask('status')) as RunStatus;
      if (state === 'paused') return position;
      await sleep(20);
    }
  }

  /** Goes on until `steps` more checkpoints are written, and holds again. @returns the run's position then */
  async advance(steps: number): Promise<RunStatus['position']> {
    const isCheckpoint = ({ message }: LogLine) => message === 'checkpoint written';
    const before = this.run.lines.filter(isCheckpoint).length;
    await this.ask('resume');
    const enough = () => this.run.lines.filter(isCheckpoint).length >= before + steps;
    await this.run.line('checkpoint written', enough);
    return await this.hold();
  }
}
