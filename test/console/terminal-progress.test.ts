import { EventEmitter } from 'node:events';
import xterm from '@xterm/headless';
import { expect, test } from 'vitest';
import { openConsole } from '../../src/console/console.js';

/** A console on an emulated terminal. */
class Screen {
  now = 0;
  readonly console;
  private readonly terminal;
  private readonly stream;
  private written = '';

  constructor(columns: number, environment: NodeJS.ProcessEnv = {}) {
    this.terminal = new xterm.Terminal({ cols: columns, rows: 30, allowProposedApi: true, convertEol: true });
    this.stream = Object.assign(new EventEmitter(), {
      isTTY: true,
      columns,
      write: (text: string) => {
        this.written += text;
        this.terminal.write(text);
        return true;
      },
    });
    this.console = openConsole(
      'beside',
      this.stream as unknown as NodeJS.WriteStream,
      environment,
      () => this.now,
    );
  }

  /** As a window is resized: the terminal breaks its lines anew, then the program is told. */
  async resize(columns: number): Promise<void> {
    await this.rows();
    this.terminal.resize(columns, 30);
    this.stream.columns = columns;
    this.stream.emit('resize');
  }

  /** The same, when the program is told only of the last of several sizes. */
  async drag(sizes: readonly number[]): Promise<void> {
    await this.rows();
    for (const columns of sizes.slice(0, -1)) this.terminal.resize(columns, 30);
    await this.resize(sizes.at(-1)!);
  }

  /** The rows that are not empty. */
  async rows(): Promise<string[]> {
    await new Promise<void>((resolve) => this.terminal.write('', resolve));
    const { active } = this.terminal.buffer;
    return Array.from({ length: active.length }, (_, y) => active.getLine(y)!.translateToString(true)).filter(
      (row) => row !== '',
    );
  }

  get colours(): boolean {
    return this.written.includes('\u001b[36m');
  }
}

function startTraining(screen: Screen) {
  const task = screen.console.startTask({ name: 'training', total: 448, unit: 'steps' });
  task.update(72, { loss: 15.2534, mAP: 0.03139 }, { perSecond: 3.2, secondsLeft: 125 });
  return task;
}

test('lines that are logged stand whole above the tasks', async () => {
  const screen = new Screen(60);
  startTraining(screen);
  const long = Array.from({ length: 30 }, (_, i) => `word${i}`).join(' ');
  screen.console.log.info(long);
  screen.console.log.warn('careful');
  const rows = await screen.rows();
  expect(rows.slice(0, -2).join('')).toBe(long);
  expect(rows.slice(-2)).toEqual([
    'warning: careful',
    'training  █░░░░░░░░░░   16%   72/448  2m5s left  loss 15.25',
  ]);
});

test.each([
  [140, 60],
  [100, 40],
  [60, 140],
  [140, 20],
])('from %i to %i columns nothing of the old lines is left, and no log line is lost', async (from, to) => {
  const screen = new Screen(from);
  screen.console.log.info('before');
  startTraining(screen);
  screen.console.startTask({ name: 'queries', total: 1452, unit: 'images' }).update(576);
  screen.console.log.info('after');
  await screen.resize(to);
  const rows = await screen.rows();
  expect(rows.slice(0, 2)).toEqual(['before', 'after']);
  expect(rows.slice(2).map((row) => row.split(' ')[0])).toEqual(['training', 'queries']);
  for (const row of rows) expect(row.length).toBeLessThan(to);
});

test('a window that is dragged smaller and wider, several sizes at a time, leaves one line for each task', async () => {
  const screen = new Screen(100);
  screen.console.log.info('before');
  const task = startTraining(screen);
  screen.console.startTask({ name: 'queries', total: 1452, unit: 'images' }).update(576);
  for (const sizes of [[60, 33, 21], [12, 90], [140, 24, 25], [9], [100]]) {
    await screen.drag(sizes);
    task.hold('paused');
    const rows = await screen.rows();
    expect(rows[0]).toBe('before');
    expect(rows.slice(1).map((row) => row.slice(0, 7))).toEqual(['trainin', 'queries']);
  }
});

test('work inside other work leaves with its end, the last task stays as it was', async () => {
  const screen = new Screen(100);
  const task = startTraining(screen);
  const queries = screen.console.startTask({ name: 'queries', total: 10, unit: 'images' });
  queries.update(10);
  expect(await screen.rows()).toHaveLength(2);
  queries.finish();
  expect(await screen.rows()).toEqual([expect.stringMatching(/^training /)]);
  task.update(448, { loss: 10 }, { perSecond: 3.2, secondsLeft: 0 });
  task.finish();
  screen.console.log.info('run finished');
  expect(await screen.rows()).toEqual([
    'training  ████████████████████████  100%  448/448  3.2 steps/s  loss 10',
    'run finished',
  ]);
});

test('a task that holds says why until it goes on, and its speed is that of its work', async () => {
  const screen = new Screen(100);
  const task = screen.console.startTask({ name: 'queries', total: 1000, unit: 'images' });
  const at = (second: number, done: number) => {
    screen.now = 1000 * second;
    task.update(done);
  };
  at(0, 0);
  at(1, 100);
  task.hold('paused');
  expect((await screen.rows()).at(-1)).toMatch(/100\/1000 {2}paused$/);
  at(100, 200);
  at(101, 300);
  screen.console.close();
  expect((await screen.rows()).at(-1)).toMatch(/300\/1000 {2}7s left {2}100\.0 images\/s$/);
});

test.each([
  ['xterm-256color has them', { TERM: 'xterm-256color' }, true],
  ['an unknown terminal has none', { TERM: 'unknown' }, false],
  ['NO_COLOR wants none', { TERM: 'xterm-256color', NO_COLOR: '1' }, false],
  ['FORCE_COLOR wants them', { TERM: 'unknown', FORCE_COLOR: '1' }, true],
  ['FORCE_COLOR=0 wants none', { TERM: 'xterm-256color', FORCE_COLOR: '0' }, false],
])('colours: %s', async (_, environment, expected) => {
  const screen = new Screen(100, environment);
  startTraining(screen);
  screen.console.close();
  expect(screen.colours).toBe(expected);
  expect((await screen.rows()).at(-1)).toMatch(/^training {2}███░+ {3}16%/);
});
