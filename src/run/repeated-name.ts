import { type Document, isScalar, visit } from 'yaml';

/** A name that a mapping has twice. */
export interface RepeatedName {
  readonly name: unknown;
  /** Offset of the second one in the text. */
  readonly offset: number;
}

/**
 * The first name that stands twice in one mapping; null when there is none. The parser's own check compares each name with
 * all before it, which takes minutes for a megabyte of names.
 */
export function repeatedName(document: Document): RepeatedName | null {
  let found: RepeatedName | null = null;
  visit(document, {
    Map(_, { items }) {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        // Lists and mappings as names are refused as any unknown name is.
        if (!isScalar(key)) continue;
        if (seen.has(key.value)) {
          found = { name: key.value, offset: key.range?.[0] ?? 0 };
          return visit.BREAK;
        }
        seen.add(key.value);
      }
      return undefined;
    },
  });
  return found;
}
