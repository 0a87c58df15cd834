import { openConsole } from '../console/console.js';
import { print } from '../console/output.js';
import { type Column, formatTable } from '../console/table.js';
import { printable } from '../errors.js';
import { outputRefusal, writeOutput } from '../run/output-file.js';
import { SearchError } from './error.js';
import { resultsPage } from './results-page.js';
import { type SearchResult, type SearchRunOptions, searchRun } from './search-run.js';

const columns: readonly Column[] = [
  { title: 'distance', isNumber: true },
  { title: 'row', isNumber: true },
  { title: 'class', isNumber: false },
  { title: 'picture', isNumber: false },
];

/**
 * `fcaenet search`: prints the nearest pictures of each image as a table, or as JSON, and writes a page of them.
 * @throws SearchError SEARCH_PAGE_NOT_WRITTEN; the errors of `searchRun`
 */
export async function search(
  options: SearchRunOptions & {
    /** File of the page; undefined writes none. */
    readonly html: string | undefined;
    readonly json: boolean;
  },
): Promise<void> {
  // The result is on standard output, so warnings go elsewhere.
  const { log } = openConsole('beside', process.stderr);
  const { html } = options;
  const refusal = html === undefined ? null : await outputRefusal(html);
  if (refusal !== null) throw pageError(refusal);
  const { results, database } = await searchRun(options, log);
  if (html !== undefined) writeOutput(html, await resultsPage(results, database), pageError);
  await print(options.json ? `${JSON.stringify(results, null, 2)}\n` : results.map(tableOf).join('\n'));
}

function pageError(sentence: string, cause?: unknown): SearchError {
  return new SearchError('SEARCH_PAGE_NOT_WRITTEN', `the page of results ${sentence}`, { cause });
}

function tableOf({ image, code, nearest }: SearchResult): string {
  const rows = nearest.map(({ distance, row, path, class: className }) => [
    String(distance),
    String(row),
    className ?? '-',
    path,
  ]);
  return `${printable(image)}, code ${code}\n${formatTable(columns, rows)}`;
}
