const usualSize = { columns: 80, rows: 24 };

/** A terminal; `columns` and `rows` follow its window. */
export type ScreenStream = NodeJS.WritableStream & { readonly columns?: number; readonly rows?: number };
/** Where the keys come from. */
export type KeyStream = NodeJS.ReadableStream & {
  readonly isTTY?: boolean;
  setRawMode?(isRaw: boolean): unknown;
  unref?(): unknown;
};

/** The second screen without a cursor, and back. */
const [enter, leave] = ['\u001b[?1049h\u001b[?25l', '\u001b[?25h\u001b[?1049l'];
const [home, eraseLine, eraseBelow] = ['\u001b[H', '\u001b[K', '\u001b[J'];
/** q, Ctrl-C and Ctrl-D. */
const quitKeys = ['q', 'Q', '\u0003', '\u0004'];

/**
 * A view over the whole terminal, such as that of `top`. What was on the terminal before is there again when it is
 * closed, also when the process ends otherwise.
 */
export class FullScreen {
  private isOpen = true;
  private readonly resized: () => void;
  private readonly pressed: (data: Buffer | string) => void;
  private readonly restore = () => this.close();

  /**
   * @param onResize called when the window has another size
   * @param onQuit called for q and Ctrl-C: a terminal that passes on every key sends no signal
   */
  constructor(
    private readonly stream: ScreenStream,
    private readonly keys: KeyStream,
    onResize: () => void,
    onQuit: () => void,
  ) {
    this.resized = onResize;
    this.pressed = (data) => {
      if (quitKeys.some((key) => String(data).includes(key))) onQuit();
    };
    stream.write(enter);
    stream.on('resize', this.resized);
    if (keys.isTTY) {
      keys.setRawMode?.(true);
      keys.on('data', this.pressed);
      keys.resume();
    }
    process.once('exit', this.restore);
  }

  get columns(): number {
    return this.stream.columns || usualSize.columns;
  }

  get rows(): number {
    return this.stream.rows || usualSize.rows;
  }

  /** Replaces what is shown, in one write. @param lines at most `rows`, each shorter than `columns` */
  draw(lines: readonly string[]): void {
    if (!this.isOpen) return;
    const ends = lines.map((line) => `${line}${eraseLine}`);
    this.stream.write(`${home}${ends.join('\r\n')}${eraseBelow}`);
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    process.removeListener('exit', this.restore);
    this.stream.removeListener('resize', this.resized);
    if (this.keys.isTTY) {
      this.keys.removeListener('data', this.pressed);
      this.keys.setRawMode?.(false);
      this.keys.pause();
    }
    this.stream.write(leave);
  }
}
