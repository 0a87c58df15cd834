import type { Draws } from './draws.js';
import { inBar, inEllipse, inPolygon } from './shapes.js';
import { type Markings, markingColours } from './species.js';

/** A colour as 0xRRGGBB, or `clear` where nothing is painted. */
export type Colour = number;
export const clear: Colour = -1;

export function colour(red: number, green: number, blue: number): Colour {
  const byte = (value: number) => Math.min(255, Math.max(0, value));
  return (byte(red) << 16) | (byte(green) << 8) | byte(blue);
}

/** Half the length of a bird in its own coordinates: x forward to the beak, y down. */
export const birdReach = 1000;

const tailCorners = [-380, -110, -300, 130, -960, 270, -1000, 40];
const beakCorners = [660, -370, 1000, -215, 660, -120];

/**
 * A bird of one species in the coordinates of its body. Marked parts wear the species' colours with a little
 * variation; the plumage between them is drawn anew for each bird and says nothing about the species.
 */
export class Bird {
  readonly #crown: Colour;
  readonly #beak: Colour;
  readonly #breast: Colour;
  readonly #wingBar: Colour;
  readonly #tail: Colour;
  readonly #body: Colour;
  readonly #head: Colour;
  readonly #wing: Colour;
  readonly #leg: Colour;
  readonly #wingTilt: number;
  readonly #headTurn: number;

  constructor(markings: Markings, draws: Draws) {
    const marking = (index: number) => {
      const [red, green, blue] = markingColours[index]!;
      return colour(
        red + draws.between(-14, 14),
        green + draws.between(-14, 14),
        blue + draws.between(-14, 14),
      );
    };
    this.#crown = marking(markings.crown);
    this.#beak = marking(markings.beak);
    this.#breast = marking(markings.breast);
    this.#wingBar = marking(markings.wingBar);
    this.#tail = marking(markings.tail);

    const grey = draws.between(95, 165);
    const plumage = [draws.between(-34, 34), draws.between(-34, 34), draws.between(-34, 34)];
    const shade = (amount: number) =>
      colour(grey + amount + plumage[0]!, grey + amount + plumage[1]!, grey + amount + plumage[2]!);
    this.#body = shade(0);
    this.#head = shade(draws.between(-22, 22));
    this.#wing = shade(draws.between(-46, -26));
    this.#leg = shade(-60);
    this.#wingTilt = draws.between(-60, 60);
    this.#headTurn = draws.between(-50, 50);
  }

  /** The topmost colour at a point, `clear` outside the bird. */
  colourAt(x: number, y: number): Colour {
    if (x < -1000 || x > 1000 || y < -560 || y > 640) return clear;
    const headY = y + this.#headTurn;
    if (inEllipse(x, headY, 470, -250, 250, 240)) {
      if (inEllipse(x, headY, 560, -270, 46, 46)) return 0x0c0c0c;
      return headY < -330 ? this.#crown : this.#head;
    }
    if (inPolygon(x, headY, beakCorners)) return this.#beak;
    const wingY = y + Math.trunc((this.#wingTilt * (x + 100)) / 400);
    if (inEllipse(x, wingY, -120, 10, 380, 190)) {
      return x > -220 && x < -50 ? this.#wingBar : this.#wing;
    }
    if (inEllipse(x, y, 0, 60, 540, 330)) {
      return inEllipse(x, y, 400, 160, 240, 230) ? this.#breast : this.#body;
    }
    if (inPolygon(x, y, tailCorners)) return x < -620 ? this.#tail : this.#body;
    if (inBar(x, y, 40, 360, 60, 620, 24) || inBar(x, y, -90, 360, -60, 620, 24)) return this.#leg;
    return clear;
  }
}
