import { expect, test } from 'vitest';
import { createProgram } from '../../src/commands/command-line.js';
import { registerCommands } from '../../src/commands/commands.js';
import { allCommands, parseCommandLine } from './support.js';

const nothing = async () => {};
const program = createProgram();
registerCommands(program, {
  train: nothing,
  coordinate: nothing,
  worker: { work: nothing, workOnDevices: nothing },
  evaluate: nothing,
  encode: nothing,
  search: nothing,
  serve: nothing,
  estimate: nothing,
  table: nothing,
  ablate: nothing,
  tune: nothing,
  audit: nothing,
  export: nothing,
  report: nothing,
  runs: { list: nothing, compare: nothing, bisect: nothing },
  dataset: { make: nothing, check: nothing },
  showUi: nothing,
  watch: nothing,
  start: nothing,
  control: nothing,
  makeCerts: nothing,
  weights: { check: nothing, convert: nothing, fetch: nothing, publish: nothing },
  completion: nothing,
  doctor: { examineEngines: nothing, examineKube: nothing },
});

const commands = allCommands(program)
  .filter((command) => command.commands.length === 0)
  .map((command) =>
    command.parent === program ? [command.name()] : [command.parent!.name(), command.name()],
  );

test('the commands are those that the documentation names', () => {
  expect(commands.map((path) => path.join(' '))).toEqual([
    'start',
    'train',
    'coordinator',
    'worker',
    'dataset make',
    'dataset check',
    'weights check',
    'weights convert',
    'weights fetch',
    'weights publish',
    'estimate',
    'doctor',
    'certs make',
    'watch',
    'status',
    'pause',
    'resume',
    'checkpoint',
    'stop',
    'drain',
    'evaluate',
    'report',
    'audit',
    'runs list',
    'runs compare',
    'ui',
    'encode',
    'search',
    'serve',
    'export',
    'table',
    'ablate',
    'tune',
    'completion',
  ]);
});

test.each(commands)('%s %s has help with examples', async (...path) => {
  const printed = await parseCommandLine(...path.filter(Boolean), '--help');
  const text = printed.map(({ options }) => String(options[0])).join('');
  expect(text).toContain(`Usage: fcaenet ${path.filter(Boolean).join(' ')}`);
  expect(text).toMatch(/Examples:\n {2}\$ np[mx] /);
});

test.each(commands)('%s %s names no empty default, and one default for each option', async (...path) => {
  const printed = await parseCommandLine(...path.filter(Boolean), '--help');
  const text = printed.map(({ options }) => String(options[0])).join('');
  expect(text).not.toMatch(/default: (\[\]|false)/);
  expect(text.replace(/\s+/g, ' ')).not.toMatch(/\(default: [^)]*\) \(default: /);
});

test('the help of worker says which options it needs', async () => {
  const [printed] = await parseCommandLine('worker', '--help');
  const text = String(printed?.options[0]).replace(/\s+/g, ' ');
  expect(text.match(/--[\w-]+ <[^>]+>(?= [^<]*?\(required\))/g)).toEqual([
    '--connect <host:port>',
    '--data <dir>',
  ]);
});

test('the commands are in groups', async () => {
  const [printed] = await parseCommandLine('--help');
  const text = String(printed?.options[0]);
  expect(text).toMatch(/Train:\n {2}start /);
  expect(text).toMatch(/Many runs:\n {2}table /);
  expect(text).not.toContain('\nCommands:');
});

test('dataset make names the default of every option', async () => {
  const [printed] = await parseCommandLine('dataset', 'make', '--help');
  const text = String(printed?.options[0]).replace(/\s+/g, ' ');
  const defaults = { species: 20, train: 100, test: 20, size: 96, seed: 0 };
  for (const [option, value] of Object.entries(defaults)) {
    expect(text).toMatch(new RegExp(`--${option} <\\w+> [^-]*\\(default: ${value}\\)`));
  }
});

test('every example in the help is a command line that parses', async () => {
  const lines = (await Promise.all([[], ...commands].map((path) => parseCommandLine(...path, '--help'))))
    .flat()
    .flatMap(({ options }) => String(options[0]).split('\n'))
    .map((line) => line.trim())
    .filter((line) => line.startsWith('$ npx fcaenet '));
  expect(lines.length).toBeGreaterThan(8);
  for (const line of lines) {
    await parseCommandLine(...line.slice('$ npx fcaenet '.length).split(' '));
  }
});

test('the version is the package’s', async () => {
  const [printed] = await parseCommandLine('--version');
  expect(printed?.options[0]).toMatch(/^\d+\.\d+\.\d+\n$/);
});
