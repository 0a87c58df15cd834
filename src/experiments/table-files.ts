import type { Plan } from './cell.js';
import type { Summary } from './summary.js';
import { tableCsv } from './table-csv.js';
import { type TableHeading, tableMarkdown } from './table-markdown.js';
import { writeInto } from './write-into.js';

/** Replaces `table.md`, `table.csv` and `table.json` in a folder. */
export function writeTable(output: string, heading: TableHeading, plan: Plan, summary: Summary): void {
  const { bits, seeds, equalities } = plan;
  const document = { ...heading, bits, seeds, equalities, ...summary };
  writeInto(output, {
    'table.json': `${JSON.stringify(document, null, 2)}\n`,
    'table.csv': tableCsv(summary),
    'table.md': tableMarkdown(heading, plan, summary),
  });
}
