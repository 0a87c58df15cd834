import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../run/support.js';

/** The built program in a folder. Files may have at most `blocks` of 512 bytes, as the last ones before a disk is full. */
function fcaenet(cwd: string, args: readonly string[], blocks: number | 'unlimited') {
  const command = [process.execPath, resolve('dist/cli.js'), ...args].map((each) => `'${each}'`).join(' ');
  const shell = ['-c', `ulimit -f ${blocks}; exec ${command}`];
  const { status, stderr } = spawnSync('sh', shell, { cwd, encoding: 'utf8' });
  return { status, stderr };
}

const dataset = ['dataset', 'make', 'birds', '--species', '2', '--train', '2', '--test', '1'];

test('a dataset that has no room is one sentence, and the same command makes it later', () => {
  const folder = temporaryDirectory();
  expect(fcaenet(folder, dataset, 2)).toEqual({
    status: 73,
    stderr: 'fcaenet: birds cannot be written (EFBIG).\n',
  });
  expect(fcaenet(folder, dataset, 'unlimited').status).toBe(0);
  expect(JSON.parse(readFileSync(join(folder, 'birds', 'synthetic.json'), 'utf8')).complete).toBe(true);
  expect(readdirSync(join(folder, 'birds')).filter((name) => name.includes('lock'))).toEqual([]);
});

test('certificates that have no room leave an empty folder, and the same command makes them later', () => {
  const folder = temporaryDirectory();
  const certs = ['certs', 'make', 'certs', '--name', 'localhost'];
  expect(fcaenet(folder, certs, 1)).toEqual({
    status: 73,
    stderr: 'fcaenet: certificates cannot be written to certs (EFBIG).\n',
  });
  expect(readdirSync(join(folder, 'certs'))).toEqual([]);
  expect(fcaenet(folder, certs, 'unlimited').status).toBe(0);
  expect(readdirSync(join(folder, 'certs')).sort()).toEqual([
    'authority',
    'coordinator',
    'join-token',
    'worker',
  ]);
});
