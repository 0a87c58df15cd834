import * as z from 'zod';
import { resolveTrainingRun } from '../../src/run/resolve.js';
import { type WrittenSpec, writtenRunSchema } from '../../src/run/schema.js';
import { type DatasetKind, datasetKinds } from '../../src/run/training-run.js';

/** A group of settings, or what one setting takes. */
type Schema = z.core.$ZodType;

interface Setting {
  /** `schedule.epochs`: below `spec`. */
  readonly path: string;
  /** What the schema says a value must be. */
  readonly expected: string;
}

/** The page with its two tables written anew from the schema and the presets. */
export function withTables(page: string): string {
  const settings = settingsOf(spec());
  const isOperation = ({ path }: Setting) => path.startsWith('operation.');
  const trained = settings.filter((setting) => !isOperation(setting));
  const operation = settings
    .filter(isOperation)
    .map(({ path, expected }) => ({ path: path.slice('operation.'.length), expected }));
  return between(
    between(
      page,
      'what is trained',
      table(
        ['`spec.`', 'must be', '`paper` (default)', '`quick`'],
        trained.map(({ path, expected }) => [`\`${path}\``, expected, inPaper(path), inQuick(path)]),
      ),
    ),
    'how it is carried out',
    table(
      ['`spec.operation.`', 'must be', 'default'],
      operation.map(({ path, expected }) => [`\`${path}\``, expected, inQuick(`operation.${path}`)]),
    ),
  );
}

function between(page: string, name: string, text: string): string {
  const [begin, end] = [`<!-- ${name}: begin -->\n`, `<!-- ${name}: end -->`];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`the page has no place for the table ${name}`);
  return `${page.slice(0, from)}${begin}\n${text}\n${page.slice(to)}`;
}

/** A Markdown table with aligned columns. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => [...row[column]!].length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell + ' '.repeat(widths[column]! - [...cell].length)).join(' | ')} |\n`;
  return line(head) + line(widths.map((width) => '-'.repeat(width))) + rows.map(line).join('');
}

function spec(): Schema {
  return shapeOf(writtenRunSchema)!.spec!;
}

/** The fields of a group; null where it is one setting. */
function shapeOf(schema: Schema): Readonly<Record<string, Schema>> | null {
  const { def } = schema._zod;
  if (def.type === 'optional') return shapeOf((def as z.core.$ZodOptionalDef).innerType);
  return def.type === 'object' ? (def as z.core.$ZodObjectDef).shape : null;
}

function settingsOf(schema: Schema, path: readonly string[] = []): Setting[] {
  const shape = shapeOf(schema);
  if (shape === null) return [{ path: path.join('.'), expected: expectedOf(schema) }];
  return Object.entries(shape).flatMap(([name, field]) => settingsOf(field, [...path, name]));
}

/** The end of the sentence "spec.bits is …, but must be …". */
function expectedOf(schema: Schema): string {
  const refused = z.safeParse(schema, Symbol());
  const expected = refused.success ? '' : refused.error.issues[0]!.message;
  const takesNull = z.safeParse(schema, null).success && !/\bnull\b/.test(expected);
  return takesNull ? `${expected} or null` : expected;
}

/** What `paper` decides, which may hang on the code length and on the dataset. */
function inPaper(path: string): string {
  if (isMissing(path, without(path, 24, 'cub'))) return 'must be given';
  const codeLengths = Array.from({ length: 64 }, (_, index) => index + 1);
  const byBits = grouped(codeLengths, (bits) => valueIn(without(path, bits, 'cub'), path));
  const byKind = grouped(datasetKinds, (kind) => valueIn(without(path, 24, kind), path));
  if (byBits.size > 1) {
    return [...byBits].map(([value, of]) => `${value} for ${of[0]} to ${of.at(-1)} bits`).join(', ');
  }
  const ofKinds = [...byKind].map(([value, of]) =>
    byKind.size > 1 ? `${value} for ${of.join(', ')}` : value,
  );
  const unknown = isMissing(path, without(path, 24, undefined)) ? ['else must be given'] : [];
  return [...ofKinds, ...unknown].join('; ');
}

/** A run file that gives everything that `paper` does not decide, but for one setting. */
function without(path: string, bits: number, kind: DatasetKind | undefined): WrittenSpec {
  const dataset = { path: 'pictures', kind, sampleSize: 1 };
  return {
    ...(path !== 'bits' && { bits }),
    dataset: Object.fromEntries(Object.entries(dataset).filter(([name]) => path !== `dataset.${name}`)),
  };
}

function inQuick(path: string): string {
  if (isMissing(path, { preset: 'quick' })) return 'must be given';
  return valueIn({ preset: 'quick', dataset: { path: 'pictures' } }, path);
}

/** Whether a run file that leaves everything else out is refused for want of this setting. */
function isMissing(path: string, written: WrittenSpec): boolean {
  try {
    resolved(written);
    return false;
  } catch (error) {
    return (error as Error).message.startsWith(`spec.${path} is missing`);
  }
}

/** The setting as the preset decides it, in the words of a run file; empty where it is no setting of the result. */
function valueIn(written: WrittenSpec, path: string): string {
  const value = path
    .split('.')
    .reduce<unknown>((group, name) => (group as Record<string, unknown> | null)?.[name], resolved(written));
  if (value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value).replaceAll(',', ', ');
}

function resolved(spec: WrittenSpec): unknown {
  const head = { apiVersion: 'fcaenet.dev/v1', kind: 'TrainingRun', metadata: { name: 'birds' } } as const;
  return resolveTrainingRun({ ...head, spec }).spec;
}

/** Keys by the value they have, in order. */
function grouped<Key>(keys: readonly Key[], nameOf: (key: Key) => string): Map<string, Key[]> {
  const groups = new Map<string, Key[]>();
  for (const key of keys) groups.set(nameOf(key), [...(groups.get(nameOf(key)) ?? []), key]);
  return groups;
}
