import { WriteStream } from 'node:tty';
import { inspect } from 'node:util';

export type Colour = 'bold' | 'dim' | 'red' | 'yellow' | 'cyan';
/** Colours a text, or returns it unchanged. */
export type Paint = (colour: Colour, text: string) => string;

export const plain: Paint = (_, text) => text;

const ansi: Paint = (colour, text) => {
  const [on, off] = inspect.colors[colour]!;
  return `\u001b[${on}m${text}\u001b[${off}m`;
};

/** Colours for a terminal, depending on NO_COLOR, FORCE_COLOR and TERM. */
export function terminalPaint(environment: NodeJS.ProcessEnv): Paint {
  return WriteStream.prototype.hasColors(environment) ? ansi : plain;
}
