import { printable } from '../errors.js';

/** A column of a printed table. */
export interface Column {
  readonly title: string;
  /** Numbers are right-aligned. */
  readonly isNumber: boolean;
}

/** A table in plain text. Each line ends with a newline, and every row has a cell for each column. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  // Cells may contain names from outside.
  const shown = rows.map((row) => row.map(printable));
  const widths = columns.map(({ title }, i) => Math.max(title.length, ...shown.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (columns[i]!.isNumber ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  return [columns.map(({ title }) => title), ...shown].map((cells) => `${line(cells)}\n`).join('');
}
