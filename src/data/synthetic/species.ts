/** The parts in which species differ. */
export const markedParts = ['crown', 'beak', 'breast', 'wingBar', 'tail'] as const;
export type MarkedPart = (typeof markedParts)[number];

/** The colours of markings, red, green and blue in 0…255. */
export const markingColours: readonly (readonly [number, number, number])[] = [
  [214, 38, 40],
  [240, 130, 20],
  [240, 208, 42],
  [60, 180, 50],
  [40, 200, 220],
  [40, 84, 214],
  [130, 50, 190],
  [240, 110, 180],
  [246, 246, 242],
  [20, 20, 24],
];

/** The colour (index into `markingColours`) of each part of a species. */
export type Markings = Readonly<Record<MarkedPart | 'body' | 'wing', number>>;

export const maximumSpecies = 20;

/**
 * Two of the 20 species have the same colour in at most one part. Species (a, b), b = 1 … 4, has colour a + b·p (mod 5)
 * of the five possible colours of part p, and two such lines over the field of five elements meet at most once.
 * Adjacent parts choose from different colours.
 * @param species 0 … maximumSpecies - 1
 */
export function markingsOf(species: number): Markings {
  const offset = species % 5;
  const slope = 1 + Math.floor(species / 5);
  const colour = (part: number) => 2 * ((offset + slope * part) % 5) + (part % 2);
  return {
    crown: colour(0),
    beak: colour(1),
    breast: colour(2),
    wingBar: colour(3),
    tail: colour(4),
    body: offset,
    wing: slope - 1,
  };
}

const crownNames = ['Red', 'Golden', 'Azure', 'Violet', 'White'];
const kinds = ['Finch', 'Wren', 'Lark', 'Tern'];

/** The name of a species, also of its folder: `001.Red_crowned_Finch`. */
export function speciesName(species: number): string {
  const number = String(species + 1).padStart(3, '0');
  return `${number}.${crownNames[species % 5]}_crowned_${kinds[Math.floor(species / 5)]}`;
}
