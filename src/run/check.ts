import type * as z from 'zod';
import { quote, shorten } from '../errors.js';
import { RunFileError } from './error.js';
import { nearestName } from './nearest-name.js';
import { type WrittenRun, writtenRunSchema } from './schema.js';

type Path = readonly (string | number)[];

/**
 * Checks a parsed YAML document field by field.
 * @throws RunFileError RUN_FIELD_UNKNOWN (with the nearest name) or RUN_FIELD_INVALID, naming path, value and bound
 */
export function checkWrittenRun(document: unknown): WrittenRun {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw new RunFileError(
      'RUN_FIELD_INVALID',
      `the run file contains ${show(document)}, but must contain the fields apiVersion, kind, metadata and spec`,
    );
  }
  const result = writtenRunSchema.safeParse(document);
  if (result.success) {
    return result.data;
  }
  for (const issue of result.error.issues) {
    if (issue.code === 'unrecognized_keys') {
      throw unknownField([...(issue.path as Path), issue.keys[0]!]);
    }
  }
  const issue = result.error.issues[0]!;
  throw invalidField(issue.path as Path, valueAt(document, issue.path as Path), issue.message);
}

/** The schema of the setting at `path`; undefined where there is none. */
export function schemaAt(path: Path): z.ZodType | undefined {
  let schema: z.ZodType = writtenRunSchema;
  for (const key of path) {
    const shape = shapeOf(schema);
    // Inherited properties such as toString are not settings.
    if (shape === undefined || !Object.hasOwn(shape, key)) {
      return undefined;
    }
    schema = shape[key]!;
  }
  return schema;
}

/** Whether the schema is a group of settings, not one setting. */
export function isGroup(schema: z.ZodType): boolean {
  return shapeOf(schema) !== undefined;
}

/** The path of the first setting of this name, ignoring case and dashes; undefined when there is none. */
export function settingCalled(name: string): string | undefined {
  const wanted = name.replaceAll('-', '').toLowerCase();
  const found = settings().find((path) => String(path.at(-1)).toLowerCase() === wanted);
  return found && dotted(found);
}

/** The paths of all settings, such as `spec.model.imageSize`. */
export function settingPaths(): string[] {
  return settings().map(dotted);
}

function settings(): Path[] {
  return allPaths(writtenRunSchema, []).filter((path) => !isGroup(schemaAt(path)!));
}

/** An error for an unknown path, with the setting that was probably meant. */
export function unknownField(path: Path): RunFileError {
  const suggestion = nearestSetting(path);
  const hint = suggestion === undefined ? '' : `; did you mean ${suggestion}?`;
  return new RunFileError('RUN_FIELD_UNKNOWN', `${dotted(path)} is not a field of a training run${hint}`);
}

function invalidField(path: Path, value: unknown, expected: string): RunFileError {
  const names = expected.startsWith('one of ') ? expected.slice('one of '.length).split(', ') : [];
  const nearest = typeof value === 'string' ? nearestName(value, names) : undefined;
  const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`;
  return new RunFileError(
    'RUN_FIELD_INVALID',
    `${dotted(path)} is ${show(value)}, but must be ${expected}${hint}`,
  );
}

/** Prefers a sibling with a similar name, then a setting elsewhere with exactly this name. */
function nearestSetting(path: Path): string | undefined {
  const name = String(path.at(-1));
  for (let depth = 1; depth < path.length; depth++) {
    const parent = schemaAt(path.slice(0, depth));
    if (parent === undefined) {
      return nearestSetting(path.slice(0, depth));
    }
  }
  const parent = path.slice(0, -1);
  const sibling = nearestName(name, Object.keys(shapeOf(schemaAt(parent)) ?? {}));
  if (sibling !== undefined) {
    return dotted([...parent, sibling]);
  }
  const elsewhere = allPaths(writtenRunSchema, []).find(
    (each) => String(each.at(-1)).toLowerCase() === name.toLowerCase(),
  );
  return elsewhere === undefined ? undefined : dotted(elsewhere);
}

function allPaths(schema: z.ZodType, path: Path): Path[] {
  const children = Object.entries(shapeOf(schema) ?? {});
  return [path, ...children.flatMap(([key, child]) => allPaths(child, [...path, key]))];
}

function shapeOf(schema: unknown): Record<string, z.ZodType> | undefined {
  let inner = schema as { unwrap?: () => unknown; shape?: Record<string, z.ZodType> } | undefined;
  while (typeof inner?.unwrap === 'function') {
    inner = inner.unwrap() as typeof inner;
  }
  return inner?.shape;
}

function valueAt(document: unknown, path: Path): unknown {
  let value = document;
  for (const key of path) {
    value = (value as Record<string, unknown>)[String(key)];
  }
  return value;
}

function dotted(path: Path): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    const name = /^[\w-]{1,80}$/.test(key) ? key : quote(key);
    return text === '' ? name : `${text}.${name}`;
  }, '');
}

function show(value: unknown): string {
  if (typeof value === 'string') return quote(value);
  return shorten(typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value)), 80);
}
