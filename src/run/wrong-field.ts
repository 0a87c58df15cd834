import { shorten } from '../errors.js';

/** What zod says of a value: the path to a field, and what is wrong with it. */
interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/**
 * The first field of a JSON value that is wrong, for a sentence: its path, and its value with what is wrong with it.
 * @param found what was read, of which zod has said `issues`
 */
export function wrongField(found: unknown, issues: readonly Issue[]): { field: string; is: string } {
  const { path, message } = issues[0]!;
  const value: unknown = path.reduce<unknown>(
    (inside, key) => (inside as Record<PropertyKey, unknown>)[key],
    found,
  );
  const field = path.map((key, at) =>
    typeof key === 'number' ? `[${key}]` : `${at > 0 ? '.' : ''}${String(key)}`,
  );
  return { field: field.join(''), is: `${described(value)} (${message})` };
}

/** A list or an object is not written out: it may be nested deeper than the stack allows. */
function described(value: unknown): string {
  if (value === undefined) return 'missing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  return shorten(JSON.stringify(value), 40);
}
