import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished, test, vi } from 'vitest';
import { LossyOutput, print } from '../../src/console/output.js';
import { failure } from '../kit/failure.js';

/** A stream whose writes end as `outcomes` say, each once. */
function streamOf(...outcomes: (string | null)[]) {
  const written: string[] = [];
  const stream = {
    write: (text: string, done: (error?: Error | null) => void) => {
      const code = outcomes.shift() ?? null;
      if (code === null) written.push(text);
      done(code === null ? null : Object.assign(new Error(code), { code }));
    },
  } as unknown as Writable;
  return { stream, written };
}

test('a log goes on without lines, counts them, says so once, and begins a line of its own afterwards', () => {
  const { stream, written } = streamOf(null, 'ENOSPC', 'EIO', null, null, 'ENOSPC');
  const said: string[] = [];
  const output = new LossyOutput(stream, (sentence) => said.push(sentence));
  for (const line of ['a\n', 'b\n', 'c\n', 'd\n', 'e\n', 'f\n']) output.write(line);
  expect(written).toEqual(['a\n', '\nd\n', 'e\n']);
  expect(output.lostLines).toBe(3);
  expect(said).toEqual([
    'fcaenet: cannot write to standard output (ENOSPC, the disk is full); log lines are lost, the command continues.\n',
  ]);
});

test('a log whose reader is gone says nothing, and counts', () => {
  const { stream } = streamOf('EPIPE', 'EPIPE');
  const said: string[] = [];
  const output = new LossyOutput(stream, (sentence) => said.push(sentence));
  output.write('a\n');
  output.write('b\n');
  expect([output.lostLines, said]).toEqual([2, []]);
});

test('what was asked for and cannot be written is an error, unless its reader wants no more', async () => {
  await print('a', streamOf(null).stream);
  await print('a', streamOf('EPIPE').stream);
  const error = await print('a', streamOf('ENOSPC').stream).catch((reason: unknown) => reason);
  expect(error).toEqual(failure('OUTPUT_LOST', 'cannot write to standard output (ENOSPC, the disk is full)'));
  expect(error).toMatchObject({ exitCode: 74 });
});

test('a log file that may not grow costs lines, and takes them again when there is room', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'fcaenet-log-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'log');
  const module = (path: string) => JSON.stringify(pathToFileURL(`dist/${path}`).href);
  const program = `
    import { openConsole } from ${module('console/console.js')};
    import { runMain } from ${module('console/run-main.js')};
    runMain(async () => {
      const console = openConsole('beside');
      for (let line = 0; ; line++) {
        console.log.info('line', { line, lost: console.lostLines });
        await new Promise((r) => setTimeout(r, 5));
      }
    });`;
  // A file of at most a few blocks, which whoever rotates it empties.
  const script = `ulimit -f 2; exec "$@" >> '${file}'`;
  const child = spawn('sh', ['-c', script, 'sh', process.execPath, '--input-type=module', '-e', program]);
  onTestFinished(() => void child.kill('SIGKILL'));
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const announced =
    'fcaenet: cannot write to standard output (EFBIG); log lines are lost, the command continues.\n';
  await vi.waitFor(() => expect(stderr).toBe(announced), { timeout: 60_000 });
  truncateSync(file);
  const lastLine = () =>
    JSON.parse(readFileSync(file, 'utf8').trim().split('\n').at(-1)!) as { lost: number };
  await vi.waitFor(() => expect(lastLine().lost).toBeGreaterThan(0), { timeout: 60_000 });
  expect(stderr).toBe(announced);
  expect(child.exitCode).toBeNull();
  child.kill('SIGKILL');
  await once(child, 'close');
});
