import { type Markup, markup } from '../drawing/markup.js';
import type { ShownPicture } from '../pictures/shown-pictures.js';

/** A part of the page with its own heading. */
export interface Section {
  /** Of the link to it. */
  readonly id: string;
  readonly title: string;
  readonly content: readonly Markup[];
}

/** The name of a line. */
export interface LegendEntry {
  readonly name: string;
  /** The line's style, from 0 to 3. */
  readonly style: number;
}

/**
 * A drawing with its title and what it says, in a sentence or two.
 * @param legend names of lines; a single line needs none
 * @param key names of the numbers in the drawing, from 1
 */
export function figure(
  title: string,
  drawing: Markup,
  caption: string,
  { legend = [], key = [] }: { legend?: readonly LegendEntry[]; key?: readonly string[] } = {},
): Markup {
  return markup`
<figure><h3>${title}</h3>${drawing}${legend.length > 1 ? legendOf(legend) : null}
<figcaption>${caption}${key.length > 0 ? markup`<ol class="key">${key.map((name) => markup`<li>${breakable(name)}</li>`)}</ol>` : null}</figcaption></figure>`;
}

export function figures(content: readonly Markup[]): Markup {
  return markup`<div class="figures">${content}</div>`;
}

function legendOf(entries: readonly LegendEntry[]): Markup {
  const items = entries.map(
    ({ name, style }) => markup`
<li><svg viewBox="0 0 26 10" aria-hidden="true"><path class="line s${style}" d="M0,5H26"/></svg>${name}</li>`,
  );
  return markup`<ul class="legend">${items}</ul>`;
}

/** A column of a table. */
export interface TableColumn {
  readonly title: string;
  readonly isNumber?: boolean;
}

type Cell = string | { readonly text: string; readonly isFault: boolean };

/** A table; it scrolls by itself where it is wider than the page. */
export function table(
  columns: readonly TableColumn[],
  rows: readonly (readonly Cell[])[],
  name = '',
): Markup {
  const head = columns.map(
    ({ title, isNumber }) => markup`<th scope="col" class="${isNumber ? 'number' : 'text'}">${title}</th>`,
  );
  const body = rows.map((cells) => {
    const written = cells.map((cell, index) => {
      const { text, isFault } = typeof cell === 'string' ? { text: cell, isFault: false } : cell;
      const kind = columns[index]!.isNumber ? 'number' : 'text';
      return markup`<td class="${isFault ? `${kind} fault` : kind}">${kind === 'text' ? breakable(text) : text}</td>`;
    });
    return markup`<tr>${written}</tr>`;
  });
  return markup`
<div class="scroll" tabindex="0" role="region" aria-label="${name || 'table'}"><table class="${name === '' ? 'plain' : 'wide'}">
<thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
}

export function paragraph(text: string): Markup {
  return markup`<p>${text}</p>`;
}

/** Says that something is missing, and why. */
export function notice(text: string): Markup {
  return markup`<p class="notice">${text}</p>`;
}

/** A picture, or its place where it is not there. */
export function pictureOf({ uri, path }: Pick<ShownPicture, 'uri' | 'path'>, alternative: string): Markup {
  return uri === null
    ? markup`<div class="picture" role="img" aria-label="${`${alternative}; the file ${path} cannot be read`}">not there</div>`
    : markup`<img class="picture" src="${uri}" alt="${alternative}">`;
}

/** A name of a class or a file that may break behind its separators. */
export function breakable(name: string): Markup {
  return markup`${name.split(/(?<=[_./-])/).map((part, index) => markup`${index > 0 ? markup`<wbr>` : null}${part}`)}`;
}

export function percent(share: number, digits = 0): string {
  return `${(100 * share).toFixed(digits)}\u00a0%`;
}

export function figureOf(mAP: number | null | undefined): string {
  return mAP === null || mAP === undefined ? '–' : mAP.toFixed(4);
}
