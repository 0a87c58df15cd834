import { parse } from 'yaml';
import { quote } from '../errors.js';
import { isGroup, schemaAt, unknownField } from './check.js';
import { RunFileError } from './error.js';

/**
 * Applies `--set` options (`spec.bits=24`) to a parsed YAML document and returns the changed copy. A text setting gets
 * everything after the first `=` unchanged. Numbers, true, false, null and lists are parsed as YAML where the setting
 * accepts them.
 * @throws RunFileError RUN_OVERRIDE_SYNTAX, RUN_FIELD_UNKNOWN
 */
export function applyOverrides(document: unknown, overrides: readonly string[]): unknown {
  const copy: unknown = structuredClone(document);
  for (const override of overrides) {
    const equals = override.indexOf('=');
    if (equals < 1) {
      throw syntaxError(override, 'must be PATH=VALUE, as in spec.bits=24');
    }
    const path = override.slice(0, equals).trim().split('.');
    const schema = schemaAt(path);
    if (schema === undefined) {
      throw unknownField(path);
    }
    const text = override.slice(equals + 1);
    const value = readValue(text);
    if (isGroup(schema) && !(value === null && schema.safeParse(null).success)) {
      throw syntaxError(override, 'names a group of settings, but must name one setting of it');
    }
    const isText = !schema.safeParse(value).success && schema.safeParse(text).success;
    setAt(copy, path, isText ? text : value);
  }
  return copy;
}

function setAt(document: unknown, path: readonly string[], value: unknown): void {
  let parent = document;
  for (const key of path.slice(0, -1)) {
    if (!isMapping(parent)) {
      return; // not a group in the file: the check that follows says so
    }
    parent[key] ??= {};
    parent = parent[key];
  }
  if (isMapping(parent)) {
    parent[path.at(-1)!] = value;
  }
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Characters of numbers, words and lists. Other characters may start or end a YAML comment, quotation, tag or alias.
 */
const plain = /^(?=.*\S)[\w.+[\], -]+$/;

const wholeNumber = /^ *[+-]?\d+ *$/;

/** A parsed value that is not text, or the text as it was typed. */
function readValue(text: string): unknown {
  if (!plain.test(text)) return text;
  const value = yamlValue(text);
  // A whole number that is too large would be rounded.
  const isRounded = Number.isInteger(value) && !Number.isSafeInteger(value) && wholeNumber.test(text);
  return typeof value === 'string' || isRounded ? text : value;
}

function yamlValue(text: string): unknown {
  try {
    return parse(text, { logLevel: 'error' });
  } catch {
    return text;
  }
}

function syntaxError(override: string, problem: string): RunFileError {
  return new RunFileError('RUN_OVERRIDE_SYNTAX', `--set ${quote(override)} ${problem}`);
}
