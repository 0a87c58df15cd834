import { MultiBar, type SingleBar } from 'cli-progress';
import { type Log, type LogFields, readable } from './log.js';
import { RateMeter } from './rate.js';

/** One piece of work with a known amount. */
export interface ProgressTask {
  /** @param done how much of the total is done so far  @param fields what else to show, such as the loss */
  update(done: number, fields?: LogFields): void;
  finish(): void;
}

export interface TaskDescription {
  readonly name: string;
  readonly total: number;
  /** What is counted, in the plural: `images`. */
  readonly unit: string;
}

/** Bars on a terminal, one below the other; lines logged meanwhile appear above them. */
export class TerminalProgress {
  private bars: MultiBar | undefined;
  private running = 0;

  constructor(
    private readonly stream: NodeJS.WritableStream,
    private readonly nowMs: () => number,
  ) {}

  /** Writes log lines without tearing the bars. */
  write(text: string): void {
    if (this.bars === undefined) {
      this.stream.write(text);
    } else {
      this.bars.log(text);
      this.bars.update();
    }
  }

  start({ name, total, unit }: TaskDescription): ProgressTask {
    this.bars ??= this.openBars();
    const bar = this.bars.create(total, 0, {
      name: name.padEnd(12),
      rate: `- ${unit}/s`,
      left: '-',
      notes: '',
    });
    this.running++;
    const meter = new RateMeter();
    return {
      update: (done, fields = {}) => {
        meter.record(done, this.nowMs());
        bar.update(done, {
          rate: `${readable(Math.round(meter.perSecond * 10) / 10)} ${unit}/s`,
          left: readableDuration(meter.secondsUntil(total)),
          notes: Object.entries(fields)
            .map(([field, value]) => `| ${field} ${readable(value)}`)
            .join(' '),
        });
      },
      finish: () => this.finish(bar),
    };
  }

  /** Leaves the bars as they are and the cursor below them. */
  close(): void {
    this.bars?.stop();
    this.bars = undefined;
    this.running = 0;
  }

  private openBars(): MultiBar {
    return new MultiBar({
      format: '{name} {bar} {percentage}% | {value}/{total} | {rate} | {left} left {notes}',
      stream: this.stream,
      fps: 5,
      barsize: 24,
      barCompleteChar: '█',
      barIncompleteChar: '░',
      // A hidden cursor would stay hidden when the process is killed.
      hideCursor: false,
      clearOnComplete: false,
      // Signals are the program's own business: it has a checkpoint to write first.
      gracefulExit: false,
    });
  }

  private finish(bar: SingleBar): void {
    bar.stop();
    this.running--;
    if (this.running === 0) {
      this.close();
    } else {
      // Work inside other work, such as the evaluations of a run, would otherwise fill the screen.
      this.bars?.remove(bar);
    }
  }
}

/** Progress as log lines, at most one per task every `everyMs`, and one when it is finished. */
export function loggedTask(
  { name, total, unit }: TaskDescription,
  log: Log,
  nowMs: () => number,
  everyMs = 5000,
): ProgressTask {
  // Begins with the first count, which is not 0 in a run that goes on.
  const meter = new RateMeter();
  let nextMs = nowMs() + everyMs;
  let last: { done: number; fields: LogFields } = { done: 0, fields: {} };
  const write = () => {
    log.info('progress', {
      task: name,
      done: last.done,
      total,
      unit,
      perSecond: Number(meter.perSecond.toFixed(2)),
      secondsLeft: meter.secondsUntil(total),
      ...last.fields,
    });
  };
  return {
    update: (done, fields = {}) => {
      last = { done, fields };
      const now = nowMs();
      meter.record(done, now);
      if (now >= nextMs) {
        nextMs = now + everyMs;
        write();
      }
    },
    finish: write,
  };
}

/** `75` → `1m15s`; null → `-`. */
export function readableDuration(seconds: number | null): string {
  if (seconds === null) {
    return '-';
  }
  const whole = Math.round(seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = `${whole % 60}s`;
  return hours > 0 ? `${hours}h${minutes}m` : minutes > 0 ? `${minutes}m${rest}` : rest;
}
