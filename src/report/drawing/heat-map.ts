import { chartWidth, drawing } from './frame.js';
import { coordinate, type Markup, markup } from './markup.js';

const gutter = 24;

/**
 * Draws a square matrix of values from −1 to 1: the stronger the colour, the further from 0; negative values have
 * another colour.
 * @param alternative what the matrix shows, in words
 * @param values `[size, size]`
 * @param marks texts of rows and columns; an empty text marks nothing `[size]`
 */
export function heatMap(alternative: string, values: ArrayLike<number>, marks: readonly string[]): Markup {
  const size = marks.length;
  const side = (chartWidth - gutter - 4) / size;
  const cells = Array.from(values, (value, index) => {
    const strength = Math.min(1, Math.abs(value));
    if (strength < 0.005) return markup``;
    const [x, y] = [gutter + (index % size) * side, gutter + Math.floor(index / size) * side];
    return markup`
<rect class="${value < 0 ? 'negative' : 'positive'}" fill-opacity="${String(Math.round(strength * 100) / 100)}" x="${coordinate(x)}" y="${coordinate(y)}" width="${coordinate(side)}" height="${coordinate(side)}"/>`;
  });
  const texts = marks.flatMap((text, index) => {
    if (text === '') return [];
    const middle = gutter + (index + 0.5) * side;
    return [
      markup`<text class="tick" x="${coordinate(middle)}" y="${gutter - 5}" text-anchor="middle">${text}</text>`,
      markup`<text class="tick" x="${gutter - 4}" y="${coordinate(middle + 4)}" text-anchor="end">${text}</text>`,
    ];
  });
  const extent = coordinate(size * side);
  const border = markup`<rect class="border" x="${gutter}" y="${gutter}" width="${extent}" height="${extent}"/>`;
  return drawing(alternative, [...cells, border, ...texts], chartWidth);
}
