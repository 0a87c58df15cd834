/** A piece of HTML or SVG in which every text is escaped. */
export class Markup {
  /** @param text trusted: only `markup` and constants make it */
  constructor(readonly text: string) {}

  toString(): string {
    return this.text;
  }
}

type Part = Markup | string | number | null | readonly Part[];

/**
 * Joins HTML or SVG. Interpolated strings and numbers are escaped, in texts and in quoted attributes. Markup is taken as
 * it is, lists are joined, and null is nothing.
 */
export function markup(texts: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return new Markup(
    texts.map((text, index) => text + (index < parts.length ? written(parts[index]!) : '')).join(''),
  );
}

function written(part: Part): string {
  if (part === null) return '';
  if (part instanceof Markup) return part.text;
  if (typeof part === 'object') return part.map(written).join('');
  return escaped(String(part));
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  // HTML and SVG have no form for other control characters, nor for half a letter.
  return text.replace(/[&<>"']/g, (letter) => entities[letter]!).replace(/[^\P{Cc}\n\t]|\p{Cs}/gu, '\uFFFD');
}

/** A coordinate with one decimal, so that equal data give equal, short text. */
export function coordinate(value: number): string {
  return String(Math.round(value * 10) / 10 || 0);
}
