import { EventEmitter } from 'node:events';
import xterm from '@xterm/headless';
import { expect, test } from 'vitest';
import { FullScreen } from '../../src/console/full-screen.js';

/** An emulated terminal with its keyboard. */
class Terminal {
  readonly emulator = new xterm.Terminal({ cols: 40, rows: 6, allowProposedApi: true });
  readonly stream = Object.assign(new EventEmitter(), {
    columns: 40,
    rows: 6,
    write: (text: string) => {
      this.emulator.write(text);
      return true;
    },
  });
  readonly modes: boolean[] = [];
  readonly keys = Object.assign(new EventEmitter(), {
    isTTY: true,
    setRawMode: (isRaw: boolean) => this.modes.push(isRaw),
    resume: () => {},
    pause: () => {},
  });

  open(onResize = () => {}, onQuit = () => {}): FullScreen {
    return new FullScreen(this.stream as never, this.keys as never, onResize, onQuit);
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.shown();
    this.emulator.resize(columns, rows);
    Object.assign(this.stream, { columns, rows });
    this.stream.emit('resize');
  }

  async shown(): Promise<string[]> {
    await new Promise<void>((resolve) => this.emulator.write('', resolve));
    const { active } = this.emulator.buffer;
    return Array.from({ length: this.emulator.rows }, (_, y) =>
      active
        .getLine(active.baseY + y)!
        .translateToString(true, 0, this.emulator.cols)
        .trimEnd(),
    );
  }
}

test('a screen replaces what is shown, and gives back what was there before', async () => {
  const terminal = new Terminal();
  terminal.stream.write('$ fcaenet watch\r\n');
  const screen = terminal.open();
  screen.draw(['a long first line', 'second', 'third']);
  expect(await terminal.shown()).toEqual(['a long first line', 'second', 'third', '', '', '']);
  screen.draw(['short']);
  expect(await terminal.shown()).toEqual(['short', '', '', '', '', '']);
  screen.close();
  screen.close();
  screen.draw(['too late']);
  expect((await terminal.shown())[0]).toBe('$ fcaenet watch');
  expect(terminal.modes).toEqual([true, false]);
  expect(terminal.stream.listenerCount('resize') + terminal.keys.listenerCount('data')).toBe(0);
});

test('it is drawn anew in a window of another size, without remains', async () => {
  const terminal = new Terminal();
  const screen: FullScreen = terminal.open(() =>
    screen.draw(Array.from({ length: screen.rows }, (_, at) => `${at}`.repeat(screen.columns - 1))),
  );
  for (const [columns, rows] of [
    [40, 6],
    [20, 3],
    [60, 9],
    [10, 4],
  ] as const) {
    await terminal.resize(columns, rows);
    expect(await terminal.shown()).toEqual(
      Array.from({ length: rows }, (_, at) => `${at}`.repeat(columns - 1)),
    );
  }
  screen.close();
});

test.each(['q', 'Q', '\u0003', '\u0004'])('the key %j ends it, others do not', (key) => {
  const terminal = new Terminal();
  let quits = 0;
  const screen = terminal.open(undefined, () => {
    quits++;
  });
  terminal.keys.emit('data', Buffer.from('x'));
  expect(quits).toBe(0);
  terminal.keys.emit('data', Buffer.from(key));
  expect(quits).toBe(1);
  screen.close();
});
