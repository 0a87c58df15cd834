import { LineBudget } from '../../console/line-budget.js';
import type { Log, LogFields } from '../../console/log.js';
import type { LogLine__Output } from '../../transport/generated/fcaenet/v1/LogLine.js';
import { logLinesPerSecond, mostFieldsLetters, mostMessageLetters } from '../../transport/log-limits.js';
import type { Member } from '../dispatch/member.js';

const burst = 60;

const levels = { INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

/**
 * Writes the workers' log lines into the coordinator's log, with the worker's name. The worker's text goes into a
 * field, so that it cannot look like a line of the coordinator. Lines above the rate limit are counted.
 */
export class WorkerLogs {
  /** Lines that were dropped by the worker or here, over the whole run. */
  dropped = 0;
  private readonly streams = new WeakMap<Member, { readonly budget: LineBudget; dropped: number }>();

  constructor(
    private readonly log: Log,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  write(member: Member, line: LogLine__Output): void {
    const stream = this.streams.get(member) ?? {
      budget: new LineBudget(logLinesPerSecond, burst),
      dropped: 0,
    };
    this.streams.set(member, stream);
    // A worker may send any number. A real worker's limit is far below this one.
    const unsent = Math.min(line.dropped, 1_000_000);
    this.dropped += unsent;
    stream.dropped += unsent;
    if (!stream.budget.take(this.nowMs())) {
      this.dropped++;
      stream.dropped++;
      return;
    }
    const level = levels[line.level] ?? 'info';
    this.log[level]('worker log', {
      worker: member.label,
      said: line.message.slice(0, mostMessageLetters),
      ...parsedFields(line.fields),
      ...(stream.dropped > 0 ? { droppedLines: stream.dropped } : {}),
    });
    stream.dropped = 0;
  }
}

/** The fields of a line under one name; none when they are not a JSON object of reasonable length. */
function parsedFields(text: string): { fields?: LogFields } {
  if (text === '' || text.length > mostFieldsLetters) return {};
  try {
    const fields: unknown = JSON.parse(text);
    const isObject = typeof fields === 'object' && fields !== null && !Array.isArray(fields);
    return isObject ? { fields: fields as LogFields } : {};
  } catch {
    return {};
  }
}
