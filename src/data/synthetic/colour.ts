import type { Draws } from './draws.js';

/** A colour as 0xRRGGBB. */
export type Colour = number;

/** Red, green and blue; each is cut to 0…255. */
export type Channels = readonly [number, number, number];

export function pack([red, green, blue]: Channels): Colour {
  const byte = (value: number) => Math.min(255, Math.max(0, value));
  return (byte(red) << 16) | (byte(green) << 8) | byte(blue);
}

/** The colour with each channel moved by up to `amount`. */
export function jitter([red, green, blue]: Channels, amount: number, draws: Draws): Colour {
  const move = () => draws.between(-amount, amount);
  return pack([red + move(), green + move(), blue + move()]);
}

/** A background colour: a grey with a tint. */
export function mutedColour(draws: Draws): Channels {
  const grey = draws.between(70, 180);
  const tint = () => draws.between(-30, 30);
  return [grey + tint(), grey + tint(), grey + tint()];
}
