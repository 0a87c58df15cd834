import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { parseTrainingRun } from '../../src/run/read.js';
import { parseCommandLine } from '../cli/support.js';
import { blocks, pages, shownCommands, tableCommands } from '../kit/pages.js';

const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };

test.each([...shownCommands(), ...tableCommands()])('%s: %s is a command that exists', async (_, line) => {
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
    expect(['git', 'cd', 'curl', 'apt-get', 'sudo', 'kubectl', 'buildah', 'python3']).toContain(program);
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

/** The anchors that a host makes of a page's headings. */
function anchorsOf(page: string): string[] {
  const prose = readFileSync(page, 'utf8').replace(/^```[\s\S]*?^```$/gm, '');
  return [...prose.matchAll(/^#+ (.+)$/gm)].map((match) =>
    match[1]!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

test.each(pages)('%s: links to headings find them', (page) => {
  const targets = [...readFileSync(page, 'utf8').matchAll(/\]\((?!https?:)([^)#]*)#([^)]+)\)/g)].map(
    (match) => ({ to: match[1] === '' ? page : join(dirname(page), match[1]!), anchor: match[2]! }),
  );
  expect(targets.filter(({ to, anchor }) => !anchorsOf(to).includes(anchor))).toEqual([]);
});

test.each(pages)('%s: files of the project that it names are there', (page) => {
  const named = [
    ...readFileSync(page, 'utf8').matchAll(/`((?:src|test|docs|scripts|dashboards|native)\/[\w./-]+)`/g),
  ];
  // What a build makes is not there before it.
  const files = named.map((match) => match[1]!).filter((file) => !/generated|native\/build/.test(file));
  expect(files.filter((file) => !existsSync(file))).toEqual([]);
});

test('the map of the tree in CONTRIBUTING.md has every folder of src', () => {
  const page = readFileSync('CONTRIBUTING.md', 'utf8');
  const folders = readdirSync('src', { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(folders.map(({ name }) => name).filter((name) => !page.includes(`src/${name}/`))).toEqual([]);
});
