import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createProgram } from '../../src/commands/command-line.js';
import { type CommandActions, registerCommands } from '../../src/commands/commands.js';
import { completionScript } from '../../src/commands/completion/action.js';
import { completedCommands } from '../../src/commands/completion/tree.js';

const program = createProgram();
// Only the definitions are read.
const none = {} as Record<string, unknown>;
registerCommands(program, new Proxy(none, { get: () => none }) as unknown as CommandActions);

const folder = mkdtempSync(join(tmpdir(), 'fcaenet-completion-'));
mkdirSync(join(folder, 'runs', 'my run'), { recursive: true });
writeFileSync(join(folder, 'runs.yaml'), '');
writeFileSync(join(folder, 'photo.jpg'), '');
afterAll(() => rmSync(folder, { recursive: true }));

/** Why a shell's tests are skipped, for their title; empty where they run. */
function without(shell: string): string {
  return spawnSync(shell, ['-c', 'true']).status === 0 ? '' : ` (skipped: ${shell} is not installed)`;
}

/** What bash offers for the last word, of words as bash splits them. */
function inBash(...words: string[]): string[] {
  const script = `${completionScript(program, 'bash')}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
compopt() { :; }
_fcaenet
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync('bash', ['-c', script, 'bash', 'fcaenet', ...words], {
    cwd: folder,
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([0, '']);
  return stdout.split('\n').filter((line) => line !== '');
}

test('bash completes commands, and the commands below them', () => {
  expect(inBash('ex')).toEqual(['export']);
  expect(inBash('')).toEqual(expect.arrayContaining(['train', 'runs', 'completion']));
  expect(inBash('dataset', '')).toEqual(['make', 'check']);
  expect(inBash('completion', '')).toEqual(['bash', 'zsh', 'fish']);
});

test('bash completes the options of a command, hidden ones left out', () => {
  expect(inBash('export', 'runs/x', '--o')).toEqual(['--output', '--overwrite']);
  expect(inBash('train', '--resume')).toEqual(['--resume']);
  expect(inBash('runs', 'compare', '--b')).toEqual(['--bisect']);
  expect(inBash('weights', 'check', '--')).toEqual(['--json', '--help']);
});

test('bash completes values: words, settings, files and folders', () => {
  expect(inBash('export', 'runs/x', '--format', 'o')).toEqual(['onnx']);
  expect(inBash('train', 'run.yaml', '--set', 'spec.model.im')).toEqual(['spec.model.imageSize=']);
  expect(inBash('train', 'ru')).toEqual(expect.arrayContaining(['runs', 'runs.yaml']));
  expect(inBash('evaluate', 'ru')).toEqual(['runs']);
  expect(inBash('evaluate', 'runs/')).toEqual(['runs/my run']);
  expect(inBash('weights', 'fetch', 'mobile')).toEqual(['mobilenet_v1-0.25-imagenet1k']);
  expect(inBash('train', 'run.yaml', '--workers', '')).toEqual([]);
});

test('bash completes each argument by its place, whatever options are before it', () => {
  expect(inBash('search', 'runs/x', 'pho')).toEqual(['photo.jpg']);
  expect(inBash('search', '--top', '3', 'runs/x', 'a.jpg', 'pho')).toEqual(['photo.jpg']);
  expect(inBash('search', 'pho')).toEqual([]);
  expect(inBash('ablate', 'components', 'runs').sort()).toEqual(['runs', 'runs.yaml']);
  expect(inBash('ablate', 'c')).toEqual(['components']);
  expect(inBash('evaluate', 'runs', 'r')).toEqual([]);
  const set = ['--set', 'spec.operation.listen', '=', '0.0.0.0', ':', '7400'];
  expect(inBash('train', ...set, 'runs.')).toEqual(['runs.yaml']);
  expect(inBash('export', '--format', '=', 'o')).toEqual(['onnx']);
  expect(inBash('export', '--format', '=')).toContain('onnx');
});

test('bash completes the names of methods, searches and checkpoints', () => {
  expect(inBash('table', 'run.yaml', '--methods', 'fc')).toEqual(['fcaenet']);
  expect(inBash('tune', 'run.yaml', '--search', '')).toEqual(['random', 'halving']);
  expect(inBash('serve', 'runs/x', '--checkpoint', 'b')).toEqual(['best']);
  expect(inBash('status', '--run', 'ru')).toEqual(['runs']);
});

test('every command has --json', () => {
  const commands = completedCommands(program).filter(({ commands: below }) => below.length === 0);
  expect(commands.length).toBeGreaterThan(30);
  const without = commands.filter(({ options }) => !options.some(({ long }) => long === '--json'));
  expect(without.map(({ path }) => path.join(' '))).toEqual([]);
});

/** What zsh is told to offer for the last word. */
function inZsh(...words: string[]): string[] {
  const script = `
compdef() { :; }
compadd() { print -rl -- "$@"; }
_files() { print -r -- "files $*"; }
_describe() { print -rl -- "\${(@P)2}"; }
${completionScript(program, 'zsh')}
words=("$@"); CURRENT=$#
_fcaenet`;
  const { stdout, stderr, status } = spawnSync('zsh', ['-f', '-c', script, 'zsh', 'fcaenet', ...words], {
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([0, '']);
  return stdout.trim().split('\n');
}

test.skipIf(without('zsh'))(`zsh completes commands, options and values${without('zsh')}`, () => {
  expect(inZsh('')).toContain(
    'export:write a run’s network or codes as files for other programs, with a model card',
  );
  expect(inZsh('dataset', '').map((each) => each.split(':')[0])).toEqual(['make', 'check']);
  expect(inZsh('export', 'runs/x', '-')).toContain('--overwrite:replace files that exist');
  expect(inZsh('export', 'runs/x', '--format', '')).toContain('onnx');
  expect(inZsh('evaluate', '')).toEqual(['files -/']);
  expect(inZsh('train', '')).toEqual(['files']);
  expect(inZsh('search', '--top', '3', 'runs/x', '')).toEqual(['files']);
  expect(inZsh('evaluate', 'runs/x', '')).toEqual(['']);
});

test.skipIf(without('zsh'))(`zsh completes the first word, from a file of its path${without('zsh')}`, () => {
  writeFileSync(join(folder, '_fcaenet'), completionScript(program, 'zsh'));
  // A terminal of zsh's own: the line editor loads the file when it completes the first word.
  const script = `zmodload zsh/zpty
zpty -b shell 'TERM=dumb PS1="$ " zsh -f -i'
zpty -w shell 'fpath=("$PWD" $fpath); autoload -Uz compinit; compinit -u -D; print re"ady"'
wait_for() { local text=''; for turn in {1..100}; do sleep 0.05; zpty -r -t shell part && text+=$part; [[ $text == *$1* ]] && break; done; print -r -- $text; }
wait_for ready
zpty -w -n shell $'fcaenet exp\t'
wait_for 'export'`;
  const { stdout, stderr } = spawnSync('zsh', ['-f', '-c', script], { cwd: folder, encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(stdout).toContain('fcaenet export');
});

test.skipIf(without('fish'))(`fish completes commands, options and values${without('fish')}`, () => {
  const inFish = (line: string) => {
    const script = `${completionScript(program, 'fish')}\ncomplete -C ${JSON.stringify(line)}`;
    const { stdout, stderr } = spawnSync('fish', ['--no-config', '-c', script], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    return stdout
      .trim()
      .split('\n')
      .map((each) => each.split('\t')[0]);
  };
  expect(inFish('fcaenet ex')).toEqual(['export']);
  expect(inFish('fcaenet dataset ')).toEqual(expect.arrayContaining(['check', 'make']));
  expect(inFish('fcaenet export runs/x --o')).toEqual(['--output', '--overwrite']);
  expect(inFish('fcaenet export runs/x --format o')).toEqual(['onnx']);
  expect(inFish('fcaenet search --top 3 runs/x pho')).toEqual(['photo.jpg']);
  expect(inFish('fcaenet search pho')).toEqual(['']);
  expect(inFish('fcaenet ablate components runs').sort()).toEqual(['runs.yaml', 'runs/']);
});
