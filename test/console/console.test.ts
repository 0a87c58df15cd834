import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { openConsole } from '../../src/console/console.js';
import { textLog } from '../../src/console/log.js';
import { readableDuration } from '../../src/console/progress.js';

function collect(isTTY: boolean) {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 200, rows: 50 });
  const chunks: string[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk.toString()));
  return { stream, text: () => chunks.join('') };
}

function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test.each([
  ['a pipe', false, {}],
  ['a terminal in CI', true, { CI: 'true' }],
  ['a dumb terminal', true, { TERM: 'dumb' }],
])('%s gets one JSON object per line', async (_, isTTY, environment) => {
  const { stream, text } = collect(isTTY);
  const { log, isTerminal } = openConsole('beside', stream, environment);
  expect(isTerminal).toBe(false);
  log.info('engine chosen', { engine: 'onednn', threads: 1 });
  log.warn('careful');
  log.error('broken');
  await new Promise(setImmediate);
  const lines = jsonLines(text());
  expect(lines.map(({ level }) => level)).toEqual(['info', 'warn', 'error']);
  expect(lines[0]).toMatchObject({ message: 'engine chosen', engine: 'onednn', threads: 1 });
  expect(new Date(lines[0]!.time as string).getTime()).toBeGreaterThan(0);
});

test('progress in JSON is bounded in rate and ends with the last count', async () => {
  const { stream, text } = collect(false);
  let now = 0;
  const console = openConsole('beside', stream, {}, () => now);
  const task = console.startTask({ name: 'training', total: 200, unit: 'images' });
  for (let done = 1; done <= 120; done++) {
    now = done * 100;
    task.update(done, { loss: 1.5 });
  }
  task.finish();
  await new Promise(setImmediate);
  const lines = jsonLines(text());
  expect(lines.map(({ done }) => done)).toEqual([50, 100, 120]);
  expect(lines[0]).toMatchObject({
    message: 'progress',
    task: 'training',
    total: 200,
    unit: 'images',
    perSecond: 10,
    secondsLeft: 15,
    loss: 1.5,
  });
});

test('a terminal gets a bar with rate, time left and notes, and log lines above it', async () => {
  const { stream, text } = collect(true);
  let now = 0;
  const console = openConsole('beside', stream, {}, () => now);
  expect(console.isTerminal).toBe(true);
  const task = console.startTask({ name: 'training', total: 100, unit: 'images' });
  task.update(40);
  now = 1000;
  task.update(60, { loss: 0.123456 });
  console.log.info('a worker joined', { worker: 2 });
  task.finish();
  console.log.info('after');
  await new Promise(setImmediate);
  expect(text()).toContain(' 60/100  2s left  20.0 images/s  loss 0.1235');
  expect(text()).toContain('a worker joined  (worker 2)\n');
  expect(text().endsWith('after\n')).toBe(true);
});

test('a value that begins with its name stands alone', () => {
  const lines: string[] = [];
  textLog({ write: (text) => lines.push(text) }).info('worker joined', {
    worker: 'worker 0 (a)',
    engine: 'x',
  });
  expect(lines).toEqual(['worker joined  (worker 0 (a), engine x)\n']);
});

test('a pace that is given takes the place of what the counts tell, in JSON too', async () => {
  const { stream, text } = collect(false);
  const task = openConsole('beside', stream, {}, () => 0).startTask({
    name: 'training',
    total: 9,
    unit: 'steps',
  });
  task.update(3, {}, { perSecond: 1.234, secondsLeft: 40 });
  task.finish();
  await new Promise(setImmediate);
  expect(jsonLines(text())).toEqual([expect.objectContaining({ perSecond: 1.23, secondsLeft: 40 })]);
});

test('a person sees warnings and errors named as such', () => {
  const lines: string[] = [];
  const log = textLog({ write: (text) => lines.push(text) });
  log.info('plain');
  log.warn('careful', { count: 3, share: 1 / 3, list: [1, 0.12345678] });
  log.info('measured', { tieAveragedMAP: 0.5, loneClasses: [] });
  log.error('broken');
  expect(lines).toEqual([
    'plain\n',
    'warning: careful  (count 3, share 0.3333, list 1 0.1235)\n',
    'measured  (tie averaged mAP 0.5, lone classes none)\n',
    'error: broken\n',
  ]);
});

test.each([
  [null, '-'],
  [0.4, '0s'],
  [75, '1m15s'],
  [3600, '1h0m'],
  [7325, '2h2m'],
])('%s seconds read %s', (seconds, text) => {
  expect(readableDuration(seconds)).toBe(text);
});

test('a terminal shows names in words, lists and maps without braces, and no empty text', async () => {
  const { stream, text } = collect(true);
  const { log } = openConsole('beside', stream, {});
  log.info('evaluated', {
    mAP: 0.5,
    tieAveragedMAP: 0.25,
    precisionAt: { 1: 0.123456, 10: 0.5 },
    sentence: '',
  });
  log.info('worker log', { fields: { imagesPerSecond: 3, names: ['a', 'b'] }, secondsLeft: null });
  await new Promise(setImmediate);
  expect(stripVTControlCharacters(text())).toBe(
    'evaluated  (mAP 0.5, tie averaged mAP 0.25, precision at 1: 0.1235; 10: 0.5)\n' +
      'worker log  (fields images per second: 3; names: a b, seconds left null)\n',
  );
});
