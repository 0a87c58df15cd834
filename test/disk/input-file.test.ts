import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Disk } from '../../src/disk/disk.js';
import { readInputFile } from '../../src/disk/input-file.js';

const program = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const quick = fileURLToPath(new URL('../../examples/quick.yaml', import.meta.url));
let folder: string;
let pipe: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fcaenet-input-file-'));
  pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('a file is read up to its limit', () => {
  const path = join(folder, 'file');
  writeFileSync(path, Buffer.alloc(200_000, 'x'));
  expect(readInputFile(path, 200_000)).toEqual(Buffer.alloc(200_000, 'x'));
  expect(() => readInputFile(path, 199_999)).toThrow('has 200000 bytes, but may have at most 199999');
  truncateSync(path, 0);
  expect(readInputFile(path, 0)).toHaveLength(0);
});

test('a file whose size is not known in advance is read up to its limit', () => {
  // The kernel says 0 bytes.
  expect(readInputFile('/proc/self/status', 1 << 16).toString()).toContain('VmRSS');
  expect(() => readInputFile('/proc/self/status', 10)).toThrow('has more than 10 bytes');
});

test('what is not a file is refused at once', async () => {
  const socket = join(folder, 'socket');
  const server = createServer().listen(socket);
  await new Promise((resolve) => server.once('listening', resolve));
  for (const [path, kind] of [
    [pipe, 'named pipe'],
    [socket, 'socket'],
    ['/dev/zero', 'device'],
  ] as const) {
    expect(() => readInputFile(path, 10)).toThrow(`is not a file but a ${kind}`);
    await expect(new Disk().readInput(path)).rejects.toThrow(`is not a file but a ${kind}`);
  }
  server.close();
  expect(() => readInputFile(folder, 1 << 20)).toThrow('EISDIR');
  await expect(new Disk().readInput(folder)).rejects.toThrow('EISDIR');
});

const shell = (script: string) =>
  spawnSync('bash', ['-c', script], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, NODE: process.execPath, PROGRAM: program, QUICK: quick },
  });

test.each([
  ['<(sleep 0.3; cat "$QUICK")'],
  ['/dev/stdin < <(sleep 0.3; cat "$QUICK")'],
  ['/dev/stdin < "$QUICK"'],
  ['/dev/fd/5 5< <(cat "$QUICK"; sleep 0.3)'],
])('a run file may come through a pipe of the shell: %s', (file) => {
  // The run file is read before the dataset's folder is missed.
  const { status, stderr } = shell(
    `"$NODE" "$PROGRAM" estimate --set spec.dataset.path=nowhere --set spec.dataset.kind=null ${file}`,
  );
  expect(stderr).toMatch(/^fcaenet: [^\n]*nowhere[^\n]*\n$/);
  expect(status).toBe(66);
});

test('a pipe of the shell that nobody closes is given up', () => {
  const file = openSync(pipe, 'r+');
  expect(() => readInputFile(`/dev/fd/${file}`, 100, 0.1)).toThrow(
    'is a pipe that was not closed within 0.1 s',
  );
  writeSync(file, 'some of it');
  expect(() => readInputFile(`/proc/self/fd/${file}`, 100, 0.1)).toThrow('not closed within 0.1 s');
  closeSync(file);
});

const refused = 'is not a file but a named pipe';
test.each([
  ['estimate pipe', 66, `the run file pipe ${refused}`],
  ['estimate /dev/zero', 66, 'the run file /dev/zero is not a file but a device'],
  ['estimate endless', 66, 'the run file endless is not a file but a device'],
  ['worker --connect 127.0.0.1:1 --data . --join-token-file pipe', 78, `the join token file pipe ${refused}`],
  ['doctor --kube pipe', 66, `the manifests pipe ${refused}`],
  ['weights check pipe.pth', 66, `weights pipe.pth ${refused}`],
  ['dataset check data', 66, `the list images.txt of the dataset data ${refused}`],
])('fcaenet %s ends with one sentence', (command, exitCode, sentence) => {
  const { status, stderr } = shell(
    `mkdir -p data/images; ln -sfn ../pipe data/images.txt; touch data/{classes,image_class_labels,train_test_split}.txt
     ln -sfn pipe pipe.pth; ln -sfn /dev/zero endless; exec "$NODE" "$PROGRAM" ${command}`,
  );
  expect(stderr).toMatch(/^fcaenet: [^\n]*\n$/);
  expect(stderr).toContain(sentence);
  expect(status).toBe(exitCode);
});
