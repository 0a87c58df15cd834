import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { describeEnd } from '../../src/console/run-main.js';
import { ExitCode, FcaenetError } from '../../src/errors.js';

const built = (path: string) => pathToFileURL(`dist/${path}`).href;
const prelude = `
  import { runMain } from ${JSON.stringify(built('console/run-main.js'))};
  import { onInterrupt } from ${JSON.stringify(built('console/interrupt.js'))};
  import { FcaenetError } from ${JSON.stringify(built('errors.js'))};
`;

function start(program: string) {
  const child = spawn(process.execPath, ['--input-type=module', '-e', prelude + program]);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }));
  return { child, ended };
}

test.each([
  [
    'a known error',
    `throw new FcaenetError('A', 'the port is taken', 69)`,
    69,
    'fcaenet: the port is taken.\n',
  ],
  [
    'an unexpected error',
    `throw new TypeError('x is not y.\\nmore')`,
    1,
    'fcaenet: unexpected error: x is not y; FCAENET_DEBUG=1 shows the stack trace.\n',
  ],
  [
    'a rejection nobody awaits',
    `void Promise.reject(new FcaenetError('A', 'Lost.', 65)); await new Promise((r) => setTimeout(r, 5000))`,
    65,
    'fcaenet: Lost.\n',
  ],
  [
    'an error in a callback',
    `setTimeout(() => { throw new FcaenetError('A', 'Late.', 65) }); await new Promise((r) => setTimeout(r, 5000))`,
    65,
    'fcaenet: Late.\n',
  ],
  [
    'a program that waits for what nothing brings',
    'await new Promise(() => {})',
    1,
    'fcaenet: unexpected error: nothing is left to wait for, but the work is not over; FCAENET_DEBUG=1 shows the stack trace.\n',
  ],
  ['a program that ends well', 'return undefined', 0, ''],
  ['a program with its own exit code', 'return 75', 75, ''],
])('%s', async (_, body, code, stderr) => {
  expect(await start(`runMain(async () => { ${body} })`).ended).toEqual({ code, stdout: '', stderr });
});

test('a stack is shown only for unexpected errors when asked for', () => {
  expect(describeEnd(new Error('x'), true).text).toMatch(/^fcaenet: unexpected error: Error: x\n {4}at /);
  expect(describeEnd(new FcaenetError('A', 'One sentence.', ExitCode.usage), true)).toEqual({
    text: 'fcaenet: One sentence.\n',
    exitCode: 64,
  });
});

test('a thrown value that is no error still ends in a sentence', () => {
  expect(describeEnd('text', false).text).toBe(
    'fcaenet: unexpected error: text; FCAENET_DEBUG=1 shows the stack trace.\n',
  );
});

test.each(['EACCES', 'ELOOP', 'ENAMETOOLONG', 'EROFS'])(
  'a file that %s keeps from being used is named, with an exit code that asks for no other try',
  (code) => {
    const error = Object.assign(new Error(`${code}: no, open 'a'`), { code, path: 'a\u001bb' });
    expect(describeEnd(error, false)).toEqual({
      text: `fcaenet: a\\u001bb cannot be used (${code}).\n`,
      exitCode: ExitCode.inputOutput,
    });
    // A disk that fails may be back with the next try.
    expect(describeEnd({ ...error, code: 'EIO' }, false).exitCode).toBe(ExitCode.failed);
  },
);

test('Ctrl-C ends a command that has nothing to save, in one sentence', async () => {
  const { child, ended } = start(
    `runMain(async () => { console.log('ready'); await new Promise((r) => setTimeout(r, 10000)) })`,
  );
  await once(child.stdout, 'data');
  child.kill('SIGINT');
  expect(await ended).toMatchObject({ code: 75, stderr: 'fcaenet: interrupted by Ctrl-C.\n' });
});

test('the first signal goes to the command, its echo nowhere, a later one ends it', async () => {
  const { child, ended } = start(`runMain(async () => {
    onInterrupt((signal) => console.log('saving after', signal));
    console.log('ready');
    await new Promise((r) => setTimeout(r, 10000));
  })`);
  await once(child.stdout, 'data');
  child.kill('SIGTERM');
  await once(child.stdout, 'data');
  child.kill('SIGTERM');
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect(child.exitCode).toBeNull();
  child.kill('SIGTERM');
  expect(await ended).toEqual({
    code: 1,
    stdout: 'ready\nsaving after SIGTERM\n',
    stderr: 'fcaenet: interrupted by SIGTERM.\n',
  });
});

test('a reader that goes away does not end the program', async () => {
  const { child, ended } = start(`runMain(async () => {
    for (let i = 0; i < 50; i++) { console.log('x'.repeat(1000)); await new Promise((r) => setTimeout(r, 5)); }
    process.stderr.write('done');
    return 0;
  })`);
  await once(child.stdout, 'data');
  child.stdout.destroy();
  expect(await ended).toMatchObject({ code: 0, stderr: 'done' });
});
