import type { Colour, Paint } from './colour.js';
import { type LogFields, readable } from './log.js';
import { readableDuration } from './progress.js';

/** The state of one displayed task. */
export interface TaskState {
  readonly name: string;
  readonly unit: string;
  readonly done: number;
  readonly total: number;
  readonly perSecond: number;
  readonly secondsLeft: number | null;
  /** Why it is on hold, shown instead of speed and remaining time; null while it runs. */
  readonly held: string | null;
  /** The most important first. */
  readonly fields: LogFields;
}

/** A part of a line. When the line gets shorter, the parts of the highest rank are dropped first. */
interface Part {
  readonly rank: number;
  readonly text: string;
  readonly colour?: Colour;
}

const gap = '  ';
const widestBar = 24;
const narrowestBar = 8;

/**
 * A task in one line that fits the terminal: parts without space are dropped, and the bar takes the remaining space.
 * @param columns of the terminal; the last one stays free
 * @returns the line, and its width in columns
 */
export function progressLine(
  task: TaskState,
  columns: number,
  paint: Paint,
): { text: string; width: number } {
  const room = Math.max(0, columns - 1);
  const bar: Part = { rank: 5, text: ' '.repeat(narrowestBar) };
  const parts: Part[] = [{ rank: 0, text: task.name, colour: 'bold' }, bar, ...figures(task)];
  const kept = new Set<Part>();
  let width = -gap.length;
  for (const part of [...parts].sort((left, right) => left.rank - right.rank)) {
    const wider = width + gap.length + part.text.length;
    if (wider > room) continue;
    width = wider;
    kept.add(part);
  }
  if (kept.size === 0) return { text: task.name.slice(0, room), width: Math.min(task.name.length, room) };
  const barWidth = Math.min(widestBar, narrowestBar + room - width);
  if (kept.has(bar)) width += barWidth - narrowestBar;
  const texts = parts
    .filter((part) => kept.has(part))
    .map((part) => (part === bar ? drawBar(task, barWidth, paint) : painted(part, paint)));
  return { text: texts.join(gap), width };
}

function figures({ done, total, unit, perSecond, secondsLeft, held, fields }: TaskState): Part[] {
  const share = total > 0 ? Math.min(1, done / total) : 1;
  const count = `${done}`.padStart(`${total}`.length);
  const pace: Part[] =
    held !== null
      ? [{ rank: 1, text: held, colour: 'yellow' }]
      : [
          ...(done < total && secondsLeft !== null
            ? [{ rank: 3, text: `${readableDuration(secondsLeft)} left` }]
            : []),
          ...(perSecond > 0 ? [{ rank: 6, text: `${perSecond.toFixed(1)} ${unit}/s` }] : []),
        ];
  return [
    // Never shows 100 before the end.
    { rank: 2, text: `${Math.floor(100 * share)}%`.padStart(4) },
    { rank: 4, text: `${count}/${total}` },
    ...pace,
    ...Object.entries(fields).map(([name, value], index) => ({
      rank: index === 0 ? 3 : 6 + index,
      text: `${name} ${readable(value)}`,
    })),
  ];
}

function drawBar({ done, total }: TaskState, width: number, paint: Paint): string {
  const full = total > 0 ? Math.floor((width * Math.min(done, total)) / total) : width;
  return paint('cyan', '█'.repeat(full)) + paint('dim', '░'.repeat(width - full));
}

function painted({ text, colour }: Part, paint: Paint): string {
  return colour ? paint(colour, text) : text;
}
