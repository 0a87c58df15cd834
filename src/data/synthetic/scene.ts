import type { KeyedRandom } from '../random.js';
import { Bird } from './bird.js';
import { clear, exposePixels, SampleGrid, sceneSide } from './canvas.js';
import { type Colour, jitter, mutedColour } from './colour.js';
import { Draws } from './draws.js';
import { inBar, inEllipse } from './shapes.js';
import { markingColours, markingsOf } from './species.js';

/**
 * One picture of a species: a bird in a pose, in front of a cluttered background, in some light. It is a function of
 * (seed, species, picture) on whole numbers, so its pixels are the same on every machine.
 * @param picture any integer in [0, 2^32)
 * @param size side of the picture in pixels
 * @returns uint8 pixels, [size, size, 3]
 */
export function paintScene(random: KeyedRandom, species: number, picture: number, size: number): Uint8Array {
  const draws = new Draws(random, species, picture);
  const grid = new SampleGrid(size);
  const backdrop = Array.from({ length: 4 }, () => mutedColour(draws));
  const clutter = draws.between(6, 11);
  for (let piece = 0; piece < clutter; piece += 1) paintClutter(grid, draws);
  paintBird(grid, new Bird(markingsOf(species), draws), draws);
  return exposePixels(grid, backdrop, draws);
}

function paintClutter(grid: SampleGrid, draws: Draws): void {
  const paint = clutterColour(draws);
  const x = draws.between(0, sceneSide);
  const y = draws.between(0, sceneSide);
  if (draws.between(0, 1) === 0) {
    const halfWidth = draws.between(90, 330);
    const halfHeight = draws.between(90, 330);
    grid.paint(x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight, (sampleX, sampleY) =>
      inEllipse(sampleX, sampleY, x, y, halfWidth, halfHeight) ? paint : clear,
    );
  } else {
    const toX = x + draws.between(-1400, 1400);
    const toY = y + draws.between(-1400, 1400);
    const halfWidth = draws.between(30, 110);
    grid.paint(
      Math.min(x, toX) - halfWidth,
      Math.min(y, toY) - halfWidth,
      Math.max(x, toX) + halfWidth,
      Math.max(y, toY) + halfWidth,
      (sampleX, sampleY) => (inBar(sampleX, sampleY, x, y, toX, toY, halfWidth) ? paint : clear),
    );
  }
}

/** A quarter of the clutter has colours of markings, so that one such colour alone does not identify a species. */
function clutterColour(draws: Draws): Colour {
  const marking = markingColours[draws.between(0, 4 * markingColours.length - 1)];
  return jitter(marking ?? mutedColour(draws), 24, draws);
}

/** Places the bird near the middle, turned by up to 16 degrees, facing left or right. */
function paintBird(grid: SampleGrid, bird: Bird, draws: Draws): void {
  const centreX = sceneSide / 2 + draws.between(-180, 180);
  const centreY = sceneSide / 2 + draws.between(-300, 300);
  const reach = draws.between(1650, 1900);
  const facing = draws.between(0, 1) * 2 - 1;
  // The tangent of half the angle is tangent/64, so sine and cosine are fractions of whole numbers.
  const tangent = draws.between(-8, 8);
  const square = tangent * tangent;
  const cosine = Math.floor((4096 * (4096 - square)) / (4096 + square));
  const sine = Math.floor((4096 * 128 * tangent) / (4096 + square));
  const scale = 4096 * reach;
  const bound = Math.ceil((reach * 6) / 5);
  grid.paint(centreX - bound, centreY - bound, centreX + bound, centreY + bound, (sampleX, sampleY) => {
    const dx = sampleX - centreX;
    const dy = sampleY - centreY;
    const forward = (cosine * dx + sine * dy) * facing;
    const down = cosine * dy - sine * dx;
    return bird.colourAt(Math.floor((forward * Bird.reach) / scale), Math.floor((down * Bird.reach) / scale));
  });
}
