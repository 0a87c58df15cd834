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

/** Short lines for people: the message, then `name value` pairs. Empty texts are left out. */
export function textLog(sink: LineSink, paint: Paint = plain): Log {
  const write =
    (prefix: string) =>
    (message: string, fields: LogFields = {}) => {
      const pairs = Object.entries(fields)
        .filter(([, value]) => value !== '')
        .map(([name, value]) => printable(pair(inWords(name), readable(value))));
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

/** The words of a camelCase name: `imagesPerSecond` becomes `images per second`, `tieAveragedMAP` `tie averaged mAP`. */
function inWords(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])(?=[a-z])/g, (_, before, letter) => `${before} ${letter.toLowerCase()}`)
    .replace(/([a-z]{2})([A-Z]{2})/g, '$1 $2')
    .replace(/ MAP$/, ' mAP');
}

/**
 * Formats a field's value for people. Numbers, also inside lists and maps, get at most four significant digits.
 * Members of a list are separated by blanks, those of a map by semicolons. An empty list is `none`.
 */
export function readable(value: unknown): string {
  if (typeof value === 'number' && !Number.isInteger(value)) return String(Number(value.toPrecision(4)));
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(readable).join(' ');
  return Object.entries(value)
    .map(([name, each]) => `${inWords(name)}: ${readable(each)}`)
    .join('; ');
}
