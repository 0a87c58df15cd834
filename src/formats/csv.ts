/**
 * Rows as the text of a CSV file with a header line, as RFC 4180 describes it, with line feeds. A field with a comma, a
 * quote or a line break is put into quotes.
 */
export function encodeCsv(header: readonly string[], rows: Iterable<readonly (string | number)[]>): string {
  const lines = [header.map(field).join(',')];
  for (const row of rows) lines.push(row.map(field).join(','));
  return `${lines.join('\n')}\n`;
}

function field(value: string | number): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
