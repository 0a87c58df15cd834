import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { minimal, temporaryDirectory } from '../run/support.js';

/** The built program, as a user starts it. */
function fcaenet(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['dist/cli.js', ...args], {
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

const quick = 'examples/quick.yaml';

test.each([
  [['trian'], 64, /^fcaenet: unknown command 'trian'; did you mean train\?\n$/],
  [
    ['train', quick, '--bits', '12'],
    64,
    /^fcaenet: unknown option '--bits'; did you mean --set spec\.bits=12\?\n$/,
  ],
  [
    ['worker', '--connect', 'nowhere'],
    64,
    /^fcaenet: option '--connect <host:port>' argument 'nowhere' is invalid/,
  ],
  [['train', 'no.yaml'], 66, /^fcaenet: there is no run file no\.yaml\.\n$/],
  [
    ['train', quick, '--set', 'spec.bits=0'],
    78,
    /^fcaenet: examples\/quick\.yaml: spec\.bits is 0, but must be a whole number from 1 to 64\.\n$/,
  ],
  [
    ['train', quick, '--set', 'spec.bits=65'],
    78,
    /^fcaenet: examples\/quick\.yaml: spec\.bits is 65, but must be a whole number from 1 to 64\.\n$/,
  ],
  [
    ['train', quick, '--set', 'spec.dataset.path=no/such/folder'],
    66,
    /^fcaenet: the dataset folder no\/such\/folder does not exist[^\n]*\n$/,
  ],
])('%j ends with exit code %i and one sentence', (args, code, sentence) => {
  const { status, stderr } = fcaenet(...args);
  expect(stderr).toMatch(sentence);
  expect(status).toBe(code);
});

test.each([[['runs', 'list']], [['train', 'run.yaml']], [['worker', '--connect', '127.0.0.1:1']]])(
  '%j in a folder that was removed ends with one sentence (MACHINE_WORKING_FOLDER)',
  (args) => {
    const inside = [process.execPath, resolve('dist/cli.js'), ...args].map((each) => `'${each}'`).join(' ');
    const { status, stderr } = spawnSync('sh', ['-c', `rmdir "$PWD"; exec ${inside}`], {
      cwd: temporaryDirectory(),
      encoding: 'utf8',
    });
    expect(stderr).toBe(
      'fcaenet: the working folder cannot be read (ENOENT): it was removed or moved; change to a folder that exists.\n',
    );
    expect(status).toBe(78);
  },
);

test('a misspelt field in a file is answered with the nearest name', () => {
  const path = join(temporaryDirectory(), 'run.yaml');
  writeFileSync(path, minimal.replace('spec: {', 'spec: { metod: fcaenet,'));
  expect(fcaenet('train', path)).toEqual({
    status: 78,
    stdout: '',
    stderr: `fcaenet: ${path}: spec.metod is not a field of a training run; did you mean spec.method?\n`,
  });
});

test('help is written to stdout and is no error', () => {
  const { status, stdout, stderr } = fcaenet('--help');
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/^Usage: fcaenet /);
});
