import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The pages that users read. */
export const pages: readonly string[] = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  ...markdownIn('docs'),
  ...markdownIn('deploy'),
];

function markdownIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? markdownIn(path) : path.endsWith('.md') ? [path] : [];
  });
}

/** Blocks of one language: `[page, content]`. */
export function blocks(language: string): [page: string, content: string][] {
  return pages.flatMap((page) =>
    [...readFileSync(page, 'utf8').matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)]
      .filter((match) => match[1] === language)
      .map((match): [string, string] => [page, match[2]!]),
  );
}

/** Every command that a page shows, on one line, without what it is assigned to, piped into or written to. */
export function shownCommands(): [page: string, command: string][] {
  return blocks('sh').flatMap(([page, content]) =>
    content
      .replace(/ *\\\n */g, ' ')
      .split('\n')
      .map((line) => line.replace(/\s+#.*$/, '').trim())
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => line.replace(/^\w+=\$\((.+?)(?: \| head -n 1)?\)$/, '$1').replace(/ > \S+$/, ''))
      .map((line): [string, string] => [page, line]),
  );
}

/** The project's commands in the cells of tables, such as the README's table of tasks. */
export function tableCommands(): [page: string, command: string][] {
  return pages.flatMap((page) =>
    [...readFileSync(page, 'utf8').matchAll(/^\|.*\|$/gm)].flatMap(([row]) =>
      [...row.matchAll(/`((?:npx fcaenet|npm) [^`]+)`/g)].map((match): [string, string] => [page, match[1]!]),
    ),
  );
}
