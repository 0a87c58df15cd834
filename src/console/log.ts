import { pino } from 'pino';
import { printable } from '../errors.js';
import { type Paint, plain } from './colour.js';

/** Destination of lines: a stream, or a test's list. */
export interface LineSink {
  write(text: string): unknown;
}

export type LogFields = Readonly<Record<string, unknown>>;

/** Logs events, one line each. The message is a fixed text, and the fields hold the variable parts. */
export interface Log {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** One JSON object per line: `level`, `time` (ISO 8601), `message`, then the fields. For programs. */
export function jsonLog(sink: LineSink): Log {
  const logger = pino(
    {
      base: null,
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => void sink.write(line) },
  );
  return {
    info: (message, fields = {}) => logger.info(fields, message),
    warn: (message, fields = {}) => logger.warn(fields, message),
    error: (message, fields = {}) => logger.error(fields, message),
  };
}

/** Short lines for people: the message, then `name value` pairs. */
export function textLog(sink: LineSink, paint: Paint = plain): Log {
  const write =
    (prefix: string) =>
    (message: string, fields: LogFields = {}) => {
      const pairs = Object.entries(fields).map(([name, value]) => printable(pair(name, readable(value))));
      const details = pairs.length === 0 ? '' : `  ${paint('dim', `(${pairs.join(', ')})`)}`;
      sink.write(`${prefix}${printable(message)}${details}\n`);
    };
  return {
    info: write(''),
    warn: write(`${paint('yellow', 'warning:')} `),
    error: write(`${paint('red', 'error:')} `),
  };
}

/** A value that starts with its name, such as `worker 0`, is printed without the name. */
function pair(name: string, value: string): string {
  return value.startsWith(`${name} `) ? value : `${name} ${value}`;
}

/** Formats a field's value for people. Numbers, also inside lists and maps, get at most four significant digits. */
export function readable(value: unknown): string {
  return typeof value === 'string'
    ? value
    : (JSON.stringify(value, (_, each) => rounded(each)) ?? String(value));
}

function rounded(value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
}
