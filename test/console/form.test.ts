import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { openConsole } from '../../src/console/console.js';
import { askForJson } from '../../src/console/form.js';
import { errorLine } from '../../src/console/run-main.js';
import { FcaenetError } from '../../src/errors.js';

function terminal() {
  const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 80 });
  return { stream, written: () => String(stream.read()) };
}

test('a terminal gets text, and JSON lines once somebody asks for them', () => {
  const text = terminal();
  openConsole('beside', text.stream, { TERM: 'xterm' }).log.info('ready', { run: 'quick' });
  expect(text.written()).toMatch(/^ready/);
  askForJson();
  const json = terminal();
  openConsole('beside', json.stream, { TERM: 'xterm' }).log.info('ready', { run: 'quick' });
  expect(JSON.parse(json.written())).toMatchObject({ level: 'info', message: 'ready', run: 'quick' });
});

test('an error is a line with its code, exit code and sentence', () => {
  const error = new FcaenetError('RUN_ABSENT', 'there is no run', 66);
  expect(JSON.parse(errorLine(error, 'fcaenet: there is no run.\n', 66))).toEqual({
    level: 'error',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    code: 'RUN_ABSENT',
    exitCode: 66,
    message: 'there is no run.',
  });
  const unexpected = errorLine(new TypeError('x'), 'fcaenet: unexpected error: x.\n', 1);
  expect(JSON.parse(unexpected)).toMatchObject({ code: 'UNEXPECTED', exitCode: 1 });
});
