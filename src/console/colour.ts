import { WriteStream } from 'node:tty';
import { inspect } from 'node:util';

export type Colour = 'bold' | 'dim' | 'red' | 'yellow' | 'cyan';
/** Gives a text a colour, or leaves it as it is. */
export type Paint = (colour: Colour, text: string) => string;

export const plain: Paint = (_, text) => text;

const ansi: Paint = (colour, text) => {
  const [on, off] = inspect.colors[colour]!;
  return `\u001b[${on}m${text}\u001b[${off}m`;
};

/** How to paint on a terminal: in colour where the terminal has them, as NO_COLOR, FORCE_COLOR and TERM say. */
export function terminalPaint(environment: NodeJS.ProcessEnv): Paint {
  return WriteStream.prototype.hasColors(environment) ? ansi : plain;
}
