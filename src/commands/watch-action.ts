import { terminalPaint } from '../console/colour.js';
import { openConsole } from '../console/console.js';
import { FullScreen } from '../console/full-screen.js';
import { onInterrupt } from '../console/interrupt.js';
import { print } from '../console/output.js';
import { storedView } from '../inspection/ui/stored-run.js';
import type { RunView } from '../live/view.js';
import { type ScreenLine, watchLines } from '../live/watch-lines.js';
import { TransportError } from '../transport/error.js';
import { AddressedRun } from './addressed-run.js';
import type { WatchOptions } from './watch.js';

const askEveryMs = 1_000;
/** Without the run's directory nothing says how it ended. */
const mostGoneMs = 60_000;

/** What is known of a run. */
interface Watched {
  readonly view: RunView;
  readonly goneSinceMs: number | null;
}

/**
 * `fcaenet watch`: a run that is active, on the whole terminal until q or Ctrl-C or its end; where the output is no
 * terminal, a JSON line whenever something has changed. Throws the errors of `AddressedRun` when no coordinator answers
 * at first.
 */
export async function watch({ run, nats }: WatchOptions): Promise<void> {
  const addressed = AddressedRun.find(run, nats);
  const first = await viewOf(addressed);
  const quit = new AbortController();
  onInterrupt(() => quit.abort());
  const show = openConsole('result').isTerminal ? showOnScreen(quit) : showAsLines();
  let watched: Watched = { view: first, goneSinceMs: null };
  try {
    while (!quit.signal.aborted) {
      await show.take(watched);
      if (isEnded(watched.view)) break;
      await pause(quit.signal);
      if (!quit.signal.aborted) watched = await next(addressed, watched);
    }
  } finally {
    await show.close(watched);
  }
}

/** Whether no coordinator will continue the run. */
function isEnded({ state }: RunView): boolean {
  return state === 'finished' || state === 'failed';
}

/** What is known after another question. */
async function next(addressed: AddressedRun, { view, goneSinceMs }: Watched): Promise<Watched> {
  const { directory } = addressed;
  try {
    return { view: await viewOf(addressed), goneSinceMs: null };
  } catch (error) {
    if (!(error instanceof TransportError)) throw error;
    const since = goneSinceMs ?? Date.now();
    if (directory !== null && !directory.isLocked) {
      const stored = await storedView(directory.path);
      // A run that was interrupted or killed may go on under another coordinator; the view waits for it.
      return { view: { ...stored, losses: view.losses }, goneSinceMs: isEnded(stored) ? null : since };
    }
    if (directory === null && Date.now() - since > mostGoneMs) throw error;
    return { view, goneSinceMs: since };
  }
}

async function viewOf(addressed: AddressedRun): Promise<RunView> {
  return (await addressed.ask({ command: 'view' })).view as RunView;
}

interface Show {
  take(watched: Watched): Promise<void>;
  close(watched: Watched): Promise<void>;
}

function showOnScreen(quit: AbortController): Show {
  const paint = terminalPaint(process.env);
  const painted = ({ text, colour }: ScreenLine) => (colour ? paint(colour, text) : text);
  let shown: Watched | null = null;
  const draw = () => {
    if (!shown) return;
    const { view, goneSinceMs } = shown;
    const { columns, rows } = screen;
    screen.draw(watchLines(view, { columns, rows, nowMs: Date.now(), goneSinceMs }).map(painted));
  };
  const screen = new FullScreen(process.stdout, process.stdin, draw, () => quit.abort());
  return {
    take: async (watched) => {
      shown = watched;
      draw();
    },
    // What was seen last stays on the terminal, without the line about the keys.
    close: async ({ view, goneSinceMs }) => {
      const { columns } = screen;
      screen.close();
      const lines = watchLines(view, { columns, rows: 16, nowMs: Date.now(), goneSinceMs }).slice(0, -1);
      await print(`${lines.map(painted).join('\n')}\n`);
    },
  };
}

function showAsLines(): Show {
  let last = '';
  return {
    take: async ({ view, goneSinceMs }) => {
      const { settings: _, losses, iterationsDone: __, events: ___, workers, ...rest } = view;
      const line = JSON.stringify({
        ...rest,
        gone: goneSinceMs !== null,
        losses: Object.fromEntries(
          Object.entries(losses.terms).map(([term, values]) => [term, values.at(-1) ?? null]),
        ),
        // The time of the last message always changes.
        workers: workers.map(({ lastHeardMs: _, ...worker }) => worker),
      });
      if (line === last) return;
      last = line;
      await print(`${line}\n`);
    },
    close: async () => {},
  };
}

function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, askEveryMs);
    signal.addEventListener('abort', end);
  });
}
