import { LineBudget } from '../console/line-budget.js';
import type { Log, LogFields } from '../console/log.js';
import type { LogLine } from '../transport/generated/fcaenet/v1/LogLine.js';
import { logLinesPerSecond, mostFieldsLetters, mostMessageLetters } from '../transport/log-limits.js';

/** Lines kept while no coordinator is connected. */
const mostWaiting = 50;
const burst = 50;

/**
 * A log that also sends its lines to the coordinator, up to the coordinator's rate limit. The next sent line counts the
 * lines that were dropped.
 */
export class StreamedLog implements Log {
  private readonly budget = new LineBudget(logLinesPerSecond, burst);
  private readonly waiting: LogLine[] = [];
  private dropped = 0;
  private send: ((line: LogLine) => void) | null = null;

  constructor(
    private readonly local: Log,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  info(message: string, fields?: LogFields): void {
    this.local.info(message, fields);
    this.add('INFO', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.local.warn(message, fields);
    this.add('WARN', message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.local.error(message, fields);
    this.add('ERROR', message, fields);
  }

  /** Sends lines to `send` from now on, the waiting ones first. */
  attach(send: (line: LogLine) => void): void {
    this.send = send;
    for (const line of this.waiting.splice(0)) send(line);
  }

  detach(): void {
    this.send = null;
  }

  private add(level: NonNullable<LogLine['level']>, message: string, fields: LogFields = {}): void {
    const full = this.send === null && this.waiting.length === mostWaiting;
    if (full || !this.budget.take(this.nowMs())) {
      this.dropped++;
      return;
    }
    const text = Object.keys(fields).length === 0 ? '' : JSON.stringify(fields);
    const line: LogLine = {
      level,
      message: message.slice(0, mostMessageLetters),
      // A truncated JSON object cannot be parsed, so it is dropped.
      fields: text.length > mostFieldsLetters ? '' : text,
      dropped: this.dropped,
    };
    this.dropped = 0;
    if (this.send) this.send(line);
    else this.waiting.push(line);
  }
}
