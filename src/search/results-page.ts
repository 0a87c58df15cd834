import { DatasetError } from '../data/error.js';
import { thumbnail } from '../data/thumbnail.js';
import { printable } from '../errors.js';
import type { Database } from './database.js';
import type { SearchResult } from './search-run.js';

const thumbnailSide = 160;

const style = `:root{color-scheme:light dark;--line:#8886}
body{font:16px/1.5 system-ui,sans-serif;margin:1rem auto;max-width:72rem;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1rem;overflow-wrap:anywhere}
section{border-top:1px solid var(--line)}
ol{display:grid;gap:.75rem;grid-template-columns:repeat(auto-fill,minmax(9rem,1fr));list-style:none;padding:0}
li{font-size:.85rem;overflow-wrap:anywhere}img{display:block;max-height:10rem;max-width:100%}
.none{align-items:center;border:1px dashed var(--line);display:flex;height:6rem;justify-content:center}`;

/** What a search found, as one HTML file with small pictures in it, without scripts and without links to elsewhere. */
export async function resultsPage(results: readonly SearchResult[], database: Database): Promise<string> {
  const sections: string[] = [];
  for (const { image, code, nearest } of results) {
    const items: string[] = [];
    for (const { row, distance, path, class: className } of nearest) {
      const name = className === null ? '' : `<br>${escaped(className)}`;
      items.push(
        `<li>${await small(database.picture(row).file)}distance ${distance}${name}<br>${escaped(path)}</li>`,
      );
    }
    sections.push(
      `<section><h2>${escaped(image)}</h2>${await small(image)}<p>Code <code>${code}</code></p><ol>${items.join('\n')}</ol></section>`,
    );
  }
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>Nearest pictures</title><style>${style}</style></head><body>
<h1>Nearest pictures</h1>
${sections.join('\n')}
</body></html>
`;
}

async function small(file: string | null): Promise<string> {
  if (file === null) return '';
  try {
    const jpeg = await thumbnail(file, thumbnailSide);
    return `<img alt="" src="data:image/jpeg;base64,${jpeg.toString('base64')}">`;
  } catch (error) {
    // The dataset may lie elsewhere; the search does not need it.
    if (!(error instanceof DatasetError)) throw error;
    return '<div class="none">not found</div>';
  }
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function escaped(text: string): string {
  return printable(text).replace(/[&<>"]/g, (letter) => entities[letter]!);
}
