import type { KeyedRandom } from '../random.js';
import { Bird, birdReach, type Colour, clear, colour } from './bird.js';
import { Draws } from './draws.js';
import { inBar, inEllipse } from './shapes.js';
import { markingColours, markingsOf } from './species.js';

/** Side of a scene in its own units; a picture of any size shows the whole of it. */
const SIDE = 4096;
/** Samples per pixel and axis. */
const SAMPLES = 2;

interface Pose {
  centreX: number;
  centreY: number;
  /** half the bird's length in scene units */
  reach: number;
  /** cosine and sine of the turn, times 4096 */
  cosine: number;
  sine: number;
  /** 1 looks right, -1 left */
  facing: number;
}

interface Clutter {
  bar: boolean;
  shape: readonly [number, number, number, number, number];
  colour: Colour;
}

/**
 * One picture of a species: a bird in some pose before a cluttered background in some light, all of it a function of
 * (seed, species, picture) on whole numbers.
 *
 * @returns uint8 pixels, [size, size, 3]
 */
export function paintScene(random: KeyedRandom, species: number, picture: number, size: number): Uint8Array {
  const draws = new Draws(random, species, picture);
  const pose = drawPose(draws);
  const bird = new Bird(markingsOf(species), draws);
  const corners = Array.from({ length: 4 }, () => drawBackdrop(draws));
  const clutter = Array.from({ length: draws.between(12, 18) }, () => drawClutter(draws));
  const light = drawLight(draws);

  const samples = size * SAMPLES;
  const sums = new Int32Array(size * size * 3);
  for (let row = 0; row < samples; row += 1) {
    const y = Math.floor(((2 * row + 1) * SIDE) / (2 * samples));
    for (let column = 0; column < samples; column += 1) {
      const x = Math.floor(((2 * column + 1) * SIDE) / (2 * samples));
      let seen = birdColour(bird, pose, x, y);
      if (seen === clear) seen = clutterColour(clutter, x, y);
      const pixel = (Math.floor(row / SAMPLES) * size + Math.floor(column / SAMPLES)) * 3;
      for (let channel = 0; channel < 3; channel += 1) {
        sums[pixel + channel]! +=
          seen === clear ? backdrop(corners, channel, x, y) : (seen >> (16 - 8 * channel)) & 255;
      }
    }
  }
  return expose(sums, size, light, draws);
}

function drawPose(draws: Draws): Pose {
  // Half-angle tangents of up to 9/64 turn by up to 16 degrees, with sine and cosine as fractions.
  const tangent = draws.between(-9, 9);
  const square = tangent * tangent;
  return {
    centreX: SIDE / 2 + draws.between(-260, 260),
    centreY: SIDE / 2 + draws.between(-420, 420),
    reach: draws.between(1500, 1780),
    cosine: Math.floor((4096 * (4096 - square)) / (4096 + square)),
    sine: Math.floor((4096 * 128 * tangent) / (4096 + square)),
    facing: draws.between(0, 1) * 2 - 1,
  };
}

function drawBackdrop(draws: Draws): readonly number[] {
  const grey = draws.between(60, 190);
  return [grey + draws.between(-45, 45), grey + draws.between(-45, 45), grey + draws.between(-45, 45)];
}

function drawClutter(draws: Draws): Clutter {
  const bar = draws.between(0, 1) === 1;
  const x = draws.between(0, SIDE);
  const y = draws.between(0, SIDE);
  const shape = bar
    ? ([
        x,
        y,
        x + draws.between(-1400, 1400),
        y + draws.between(-1400, 1400),
        draws.between(30, 110),
      ] as const)
    : ([x, y, draws.between(90, 330), draws.between(90, 330), 0] as const);
  // Half of the clutter wears the colours of markings, so that seeing a colour somewhere means nothing.
  const marking = markingColours[draws.between(0, 9)];
  const [red, green, blue] = marking ?? drawBackdrop(draws);
  const jitter = () => draws.between(-24, 24);
  return { bar, shape, colour: colour(red! + jitter(), green! + jitter(), blue! + jitter()) };
}

/** Gains of red, green and blue in 1/256. */
function drawLight(draws: Draws): readonly number[] {
  const brightness = draws.between(205, 290);
  return [0, 1, 2].map(() => brightness + draws.between(-16, 16));
}

function birdColour(bird: Bird, pose: Pose, x: number, y: number): Colour {
  const dx = x - pose.centreX;
  const dy = y - pose.centreY;
  const forward = (pose.cosine * dx + pose.sine * dy) * pose.facing;
  const down = pose.cosine * dy - pose.sine * dx;
  const scale = 4096 * pose.reach;
  return bird.colourAt(Math.floor((forward * birdReach) / scale), Math.floor((down * birdReach) / scale));
}

function clutterColour(clutter: readonly Clutter[], x: number, y: number): Colour {
  for (const { bar, shape, colour: paint } of clutter) {
    const [first, second, third, fourth, halfWidth] = shape;
    const covered = bar
      ? inBar(x, y, first, second, third, fourth, halfWidth)
      : inEllipse(x, y, first, second, third, fourth);
    if (covered) return paint;
  }
  return clear;
}

/** The backdrop blends four colours between the corners of the scene. */
function backdrop(corners: readonly (readonly number[])[], channel: number, x: number, y: number): number {
  const top = corners[0]![channel]! * (SIDE - x) + corners[1]![channel]! * x;
  const bottom = corners[2]![channel]! * (SIDE - x) + corners[3]![channel]! * x;
  return Math.floor((top * (SIDE - y) + bottom * y) / (SIDE * SIDE));
}

/** Averages the samples of each pixel, applies the light and adds a film's grain. */
function expose(sums: Int32Array, size: number, light: readonly number[], draws: Draws): Uint8Array {
  const pixels = new Uint8Array(size * size * 3);
  for (let pixel = 0; pixel < size * size; pixel += 1) {
    const noise = draws.word();
    for (let channel = 0; channel < 3; channel += 1) {
      const index = pixel * 3 + channel;
      const grain = ((noise >>> (8 * channel)) & 15) - 7;
      const value = Math.floor((sums[index]! * light[channel]!) / (256 * SAMPLES * SAMPLES)) + grain;
      pixels[index] = Math.min(255, Math.max(0, value));
    }
  }
  return pixels;
}
