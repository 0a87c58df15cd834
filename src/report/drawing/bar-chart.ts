import { type Axis, drawing, frame } from './frame.js';
import { coordinate, type Markup, markup } from './markup.js';

/**
 * Draws a bar for each value, numbered from 1.
 * @param alternative what the chart shows, in words
 * @param reference a value that is marked by a line; null for none
 */
export function barChart(
  alternative: string,
  label: string,
  y: Axis,
  values: ArrayLike<number>,
  reference: number | null = null,
): Markup {
  const count = values.length;
  const place = frame({ label, domain: [0.5, count + 0.5], exact: true, whole: true }, y);
  const [bottom] = place.y.range() as [number, number];
  const width = (place.x(1) - place.x(0)) * 0.8;
  const bars = Array.from(values, (value, index) => {
    const top = place.y(value);
    return markup`
<rect class="bar s0" x="${coordinate(place.x(index + 1) - width / 2)}" y="${coordinate(top)}" width="${coordinate(width)}" height="${coordinate(bottom - top)}"/>`;
  });
  const [left, right] = place.x.range() as [number, number];
  const line =
    reference === null
      ? markup``
      : markup`<line class="moment" x1="${left}" x2="${right}" y1="${coordinate(place.y(reference))}" y2="${coordinate(place.y(reference))}"/>`;
  return drawing(alternative, [place.axes, ...bars, line]);
}
