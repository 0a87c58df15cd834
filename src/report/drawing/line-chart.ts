import { type Axis, drawing, type Frame, frame } from './frame.js';
import { coordinate, type Markup, markup } from './markup.js';

/** A line of a chart. Lines differ by colour and by dashes; the page's legend names both. */
export interface Line {
  /** Points in the order of x. */
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Which colour and dashes, from 0 to 3. */
  readonly style: number;
  /** Marks every point. */
  readonly marked?: boolean;
  /** Fills the area below. */
  readonly filled?: boolean;
  /** Keeps each value until the next point. */
  readonly stepped?: boolean;
}

/** A moment on the x axis, drawn as a vertical line. */
export interface Moment {
  readonly x: number;
}

/**
 * Draws lines over common axes.
 * @param alternative what the chart shows, in words
 */
export function lineChart(
  alternative: string,
  x: Axis,
  y: Axis,
  lines: readonly Line[],
  moments: readonly Moment[] = [],
): Markup {
  const place = frame(x, y);
  const [bottom, top] = place.y.range() as [number, number];
  const marks = moments.map(({ x: at }) => {
    const column = coordinate(place.x(at));
    return markup`<line class="moment" x1="${column}" x2="${column}" y1="${top}" y2="${bottom}"/>`;
  });
  return drawing(alternative, [place.axes, ...marks, ...lines.map((line) => lineIn(place, line))]);
}

function lineIn({ x, y }: Frame, { points, style, marked, filled, stepped }: Line): Markup {
  const places = points.map(([px, py]) => [coordinate(x(px)), coordinate(y(py))] as const);
  if (places.length === 0) return markup``;
  const path = places
    .map(([px, py], index) => {
      if (index === 0) return `M${px},${py}`;
      return stepped ? `H${px}V${py}` : `L${px},${py}`;
    })
    .join('');
  const base = coordinate((y.range() as [number, number])[0]);
  const area = `${path}V${base}H${places[0]![0]}Z`;
  return markup`
${filled ? markup`<path class="area s${style}" d="${area}"/>` : null}
<path class="line s${style}" d="${path}"/>
${marked ? places.map(([px, py]) => markup`<circle class="dot s${style}" cx="${px}" cy="${py}" r="3"/>`) : null}`;
}
