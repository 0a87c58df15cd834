import type { Paint } from './colour.js';
import type { Pace, ProgressTask, TaskDescription } from './progress.js';
import { progressLine, type TaskState } from './progress-line.js';
import { RateMeter } from './rate.js';

/** A terminal for progress lines; `columns` follows its window. */
export type TerminalStream = NodeJS.WritableStream & { readonly columns?: number };

const repaintMs = 200;
const usualColumns = 80;

/**
 * Tasks on a terminal, one line each, below the log. The cursor stays in the row under them, so that a killed process
 * leaves a clean terminal.
 */
export class TerminalProgress {
  private readonly tasks = new Set<{ state: TaskState }>();
  /** Columns of each line on the terminal. */
  private drawn: readonly number[] = [];
  private timer: NodeJS.Timeout | undefined;
  private readonly repaint = () => this.draw('');

  constructor(
    private readonly stream: TerminalStream,
    private readonly nowMs: () => number,
    private readonly paint: Paint,
  ) {}

  /** Writes complete lines above the tasks. */
  write(text: string): void {
    this.draw(text);
  }

  start({ name, total, unit }: TaskDescription): ProgressTask {
    const task = {
      state: {
        name,
        total,
        unit,
        done: 0,
        perSecond: 0,
        secondsLeft: null,
        held: null,
        fields: {},
      } as TaskState,
    };
    let meter = new RateMeter();
    if (this.tasks.size === 0) this.stream.on('resize', this.repaint);
    this.tasks.add(task);
    this.draw('');
    return {
      update: (done, fields = {}, pace?: Pace) => {
        meter.record(done, this.nowMs());
        const { perSecond, secondsLeft } = pace ?? {
          perSecond: meter.perSecond,
          secondsLeft: meter.secondsUntil(total),
        };
        task.state = { ...task.state, done, fields, perSecond, secondsLeft, held: null };
        this.drawSoon();
      },
      hold: (why) => {
        // Time on hold does not count for the speed.
        meter = new RateMeter();
        task.state = { ...task.state, held: why };
        this.draw('');
      },
      finish: () => {
        // Remove nested tasks, such as a run's evaluations: they would fill the screen.
        if (this.tasks.size > 1) {
          this.tasks.delete(task);
          this.draw('');
        } else if (this.tasks.has(task)) {
          this.close();
        }
      },
    };
  }

  /** Leaves the lines on the terminal and the cursor below them. */
  close(): void {
    if (this.tasks.size === 0) return;
    this.draw('');
    clearTimeout(this.timer);
    this.timer = undefined;
    this.stream.removeListener('resize', this.repaint);
    this.tasks.clear();
    this.drawn = [];
  }

  private drawSoon(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.draw('');
    }, repaintMs).unref();
  }

  /** Removes the lines, writes `text` in their place, and draws them again below it, in one write. */
  private draw(text: string): void {
    const columns = this.stream.columns || usualColumns;
    // A narrower window has wrapped the old lines into several rows.
    const rows = this.drawn.reduce((sum, width) => sum + Math.max(1, Math.ceil(width / columns)), 0);
    const erase = rows > 0 ? `\u001b[${rows}A\r\u001b[J` : '';
    const lines = [...this.tasks].map(({ state }) => progressLine(state, columns, this.paint));
    this.drawn = lines.map(({ width }) => width);
    this.stream.write(erase + text + lines.map((line) => `${line.text}\n`).join(''));
  }
}
