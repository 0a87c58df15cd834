import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const source = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => readFileSync(join('src', path), 'utf8'))
  .join('\n');

const pages = [
  ...['metrics.md', 'security.md', 'troubleshooting.md', 'checkpoints.md', 'workers.md'],
  ...readdirSync('docs/runbooks').map((name) => join('runbooks', name)),
].map((name) => join('docs', name));

/** Phrases in code style that are not a command: a reader looks for them in a log. */
function quotedMessages(page: string): string[] {
  const text = readFileSync(page, 'utf8').replace(/^```[\s\S]*?^```$/gm, '');
  const spans = [...text.matchAll(/`([^`]+)`/g)];
  const phrases = spans.map((match) => match[1]!.replace(/\s+/g, ' '));
  return phrases.filter(
    (phrase) => /^(NATS|[a-z]+)( [a-z;]+)+$/.test(phrase) && !/^(npx|npm|kubectl|fcaenet) /.test(phrase),
  );
}

test.each(pages)('%s quotes log lines that the program writes', (page) => {
  expect(quotedMessages(page).filter((text) => !source.includes(text))).toEqual([]);
});

test('log lines are found in the pages', () => {
  expect(quotedMessages('docs/runbooks/FcaenetDiskStalled.md')).toContain('the disk does not answer');
});
