import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { parseTrainingRun } from '../../src/run/read.js';
import { parseCommandLine } from '../cli/support.js';
import { blocks, pages, shownCommands } from '../kit/pages.js';

const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };

test.each(shownCommands())('%s: %s is a command that exists', async (_, line) => {
  const words = line.split(/\s+/).filter((word) => !/^[A-Z_]+=/.test(word));
  const [program, ...args] = words;
  if (program === 'npx' && args[0] === 'fcaenet') {
    await parseCommandLine(...args.slice(1));
  } else if (program === 'npm') {
    const script = args[0] === 'run' ? args[1]! : args[0]!;
    expect([...Object.keys(scripts), 'install']).toContain(script);
    if (script === 'start')
      await parseCommandLine('start', ...args.slice(args.indexOf('--') + 1 || args.length));
  } else if (program === '.ci/run') {
    expect(statSync(program).mode & 0o111).not.toBe(0);
  } else {
    expect(['git', 'cd', 'curl', 'apt-get', 'sudo', 'kubectl', 'buildah']).toContain(program);
  }
});

test.each(blocks('yaml'))('%s: the run file parses', (page, content) => {
  parseTrainingRun(content, page);
});

test.each(pages)('%s: links inside the project lead somewhere', (page) => {
  const targets = [...readFileSync(page, 'utf8').matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g)].map(
    (match) => join(dirname(page), match[1]!),
  );
  expect(targets.filter((target) => !existsSync(target))).toEqual([]);
});

test('the map of the tree in CONTRIBUTING.md has every folder of src', () => {
  const page = readFileSync('CONTRIBUTING.md', 'utf8');
  const folders = readdirSync('src', { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(folders.map(({ name }) => name).filter((name) => !page.includes(`src/${name}/`))).toEqual([]);
});
