import { clear } from './canvas.js';
import { type Channels, type Colour, jitter, pack } from './colour.js';
import type { Draws } from './draws.js';
import { inBar, inEllipse, inPolygon } from './shapes.js';
import { type Markings, markingColours } from './species.js';

/** Added to grey for each kind of plumage. */
const bodyTints: readonly Channels[] = [
  [44, -4, -36],
  [-8, 30, -38],
  [-34, -2, 38],
  [34, -30, 26],
  [30, 26, -24],
];
const wingTints: readonly Channels[] = [
  [34, -14, -30],
  [-28, -20, 40],
  [-26, 22, -26],
  [40, 40, 34],
];
const plumageVariation = 16;

function plumage(tint: Channels, grey: number, draws: Draws): Channels {
  const vary = (amount: number) => grey + amount + draws.between(-plumageVariation, plumageVariation);
  return [vary(tint[0]), vary(tint[1]), vary(tint[2])];
}

const tailCorners = [-380, -110, -300, 130, -960, 270, -1000, 40];
const beakCorners = [640, -400, 1000, -215, 640, -90];

/**
 * A bird of one species in the coordinates of its body. Marked parts have the species' colours with a little variation.
 * The plumage between them is random for each bird and does not depend on the species.
 */
export class Bird {
  /** half its length in its own coordinates: x forward to the beak, y down */
  static readonly reach = 1000;
  private readonly crown: Colour;
  private readonly beak: Colour;
  private readonly breast: Colour;
  private readonly wingBar: Colour;
  private readonly tail: Colour;
  private readonly body: Colour;
  private readonly head: Colour;
  private readonly wing: Colour;
  private readonly leg: Colour;
  private readonly wingTilt: number;
  private readonly headTurn: number;

  constructor(markings: Markings, draws: Draws) {
    const marking = (index: number) => jitter(markingColours[index]!, 14, draws);
    this.crown = marking(markings.crown);
    this.beak = marking(markings.beak);
    this.breast = marking(markings.breast);
    this.wingBar = marking(markings.wingBar);
    this.tail = marking(markings.tail);

    const grey = draws.between(100, 160);
    const body = plumage(bodyTints[markings.body]!, grey, draws);
    this.body = pack(body);
    this.head = jitter(body, 20, draws);
    this.wing = pack(plumage(wingTints[markings.wing]!, grey - 20, draws));
    this.leg = pack([grey - 60, grey - 60, grey - 60]);
    this.wingTilt = draws.between(-60, 60);
    this.headTurn = draws.between(-50, 50);
  }

  /** The topmost colour at a point, `clear` outside the bird. */
  colourAt(x: number, y: number): Colour | typeof clear {
    if (x < -1000 || x > 1000 || y < -560 || y > 640) return clear;
    const headY = y + this.headTurn;
    if (inEllipse(x, headY, 470, -250, 250, 240)) {
      if (inEllipse(x, headY, 560, -270, 46, 46)) return 0x0c0c0c;
      return headY < -290 ? this.crown : this.head;
    }
    if (inPolygon(x, headY, beakCorners)) return this.beak;
    const wingY = y + Math.trunc((this.wingTilt * (x + 100)) / 400);
    if (inEllipse(x, wingY, -120, 10, 380, 190)) {
      return x > -240 && x < -30 ? this.wingBar : this.wing;
    }
    if (inEllipse(x, y, 0, 60, 540, 330)) {
      return inEllipse(x, y, 390, 150, 260, 250) ? this.breast : this.body;
    }
    if (inPolygon(x, y, tailCorners)) return x < -560 ? this.tail : this.body;
    if (inBar(x, y, 40, 360, 60, 620, 24) || inBar(x, y, -90, 360, -60, 620, 24)) return this.leg;
    return clear;
  }
}
