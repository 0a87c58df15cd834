/** The parts that tell species apart. */
export const markedParts = ['crown', 'beak', 'breast', 'wingBar', 'tail'] as const;
export type MarkedPart = (typeof markedParts)[number];

/** The five colours of markings, red, green and blue in 0…255. */
export const markingColours: readonly (readonly [number, number, number])[] = [
  [214, 38, 40],
  [240, 208, 42],
  [40, 84, 214],
  [244, 244, 240],
  [22, 22, 26],
];

/** Which colour (index into `markingColours`) each part of a species wears. */
export type Markings = Readonly<Record<MarkedPart, number>>;

export const maximumSpecies = 20;

/**
 * Every species wears the same five colours, each on another part, so that no count of colours tells them apart:
 * species (a, b), b ≠ 0, wears colour a + b·p (mod 5) on part p. Two of these 20 lines over the field of five
 * elements meet at most once: any two species agree in the colour of at most one part.
 *
 * @param species 0 … maximumSpecies - 1
 */
export function markingsOf(species: number): Markings {
  const offset = species % 5;
  const slope = 1 + Math.floor(species / 5);
  const colour = (part: number) => (offset + slope * part) % 5;
  return { crown: colour(0), beak: colour(1), breast: colour(2), wingBar: colour(3), tail: colour(4) };
}
