import { type ScaleContinuousNumeric, scaleLinear, scaleLog } from 'd3-scale';
import { coordinate, type Markup, markup } from './markup.js';

/**
 * Charts are 360 units wide: their text is readable without scaling on a telephone, and three fit beside each other on
 * a desktop. Colours come from the page's style sheet by class, so that they follow the colour scheme.
 */
export const chartWidth = 360;
export const chartHeight = 230;
const margin = { left: 54, right: 18, top: 10, bottom: 38 } as const;

/** One axis of a chart. */
export interface Axis {
  readonly label: string;
  /** First and last value; rounded outwards unless `exact`. */
  readonly domain: readonly [number, number];
  readonly exact?: boolean;
  readonly logarithmic?: boolean;
  /** Only whole numbers are marked. */
  readonly whole?: boolean;
}

export type Scale = ScaleContinuousNumeric<number, number>;

/** The place of a chart's data. */
export interface Frame {
  readonly x: Scale;
  readonly y: Scale;
  /** Grid, marks and labels. */
  readonly axes: Markup;
}

/** Axes around the place of the data. */
export function frame(x: Axis, y: Axis): Frame {
  const right = chartWidth - margin.right;
  const bottom = chartHeight - margin.bottom;
  const across = scaleOf(x, margin.left, right);
  const up = scaleOf(y, bottom, margin.top);
  const columns = marksOf(x, across, 6).map(
    ([value, text]) => markup`
<line class="grid" x1="${coordinate(across(value))}" x2="${coordinate(across(value))}" y1="${margin.top}" y2="${bottom}"/>
<text class="tick" x="${coordinate(across(value))}" y="${bottom + 14}" text-anchor="middle">${text}</text>`,
  );
  const rows = marksOf(y, up, 5).map(
    ([value, text]) => markup`
<line class="grid" x1="${margin.left}" x2="${right}" y1="${coordinate(up(value))}" y2="${coordinate(up(value))}"/>
<text class="tick" x="${margin.left - 5}" y="${coordinate(up(value) + 4)}" text-anchor="end">${text}</text>`,
  );
  const axes = markup`${columns}${rows}
<text class="label" x="${(margin.left + right) / 2}" y="${chartHeight - 6}" text-anchor="middle">${x.label}</text>
<text class="label" transform="translate(10 ${(margin.top + bottom) / 2}) rotate(-90)" text-anchor="middle">${y.label}</text>`;
  return { x: across, y: up, axes };
}

/** The drawing of a chart, described by `alternative` to those who do not see it. */
export function drawing(alternative: string, content: readonly Markup[], height = chartHeight): Markup {
  return markup`<svg viewBox="0 0 ${chartWidth} ${height}" role="img" aria-label="${alternative}">${content}</svg>`;
}

function scaleOf({ domain, exact, logarithmic }: Axis, from: number, to: number): Scale {
  const [least, most] = domain;
  // A single value has no extent, and its point stands in the middle.
  const extent = least === most ? [least - 1, most + 1] : [least, most];
  const scale: Scale = logarithmic ? scaleLog() : scaleLinear();
  scale.domain(logarithmic ? [least, Math.max(most, least * 10)] : extent).range([from, to]);
  return exact || logarithmic ? scale : scale.nice();
}

function marksOf({ logarithmic, whole }: Axis, scale: Scale, count: number): [number, string][] {
  const [least, most] = scale.domain() as [number, number];
  const values = logarithmic
    ? [1, 10, 100, 1000].filter((value) => value >= least && value <= most)
    : scale.ticks(count).filter((value) => !whole || Number.isInteger(value));
  const write = logarithmic || whole ? String : scale.tickFormat(count);
  return values.map((value) => [value, write(value)]);
}
