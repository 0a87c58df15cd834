import { expect, test } from 'vitest';
import { barChart } from '../../src/report/drawing/bar-chart.js';
import { chartHeight, chartWidth } from '../../src/report/drawing/frame.js';
import { heatMap } from '../../src/report/drawing/heat-map.js';
import { lineChart } from '../../src/report/drawing/line-chart.js';
import { markup } from '../../src/report/drawing/markup.js';

/** Values of an attribute in the elements of a class. */
function attributes(svg: string, className: string, name: string): string[] {
  const elements = svg.match(new RegExp(`<[a-z]+ class="${className}"[^>]*>`, 'g')) ?? [];
  return elements.map((element) => new RegExp(` ${name}="([^"]*)"`).exec(element)![1]!);
}

test('texts from outside are escaped in markup, also in attributes, and pieces of markup are not', () => {
  const name = `<script>alert('x')</script> & "quoted"`;
  expect(markup`<p title="${name}">${[markup`<b>${name}</b>`, 2]}${null}</p>`.text).toBe(
    '<p title="&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;quoted&quot;">' +
      '<b>&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;quoted&quot;</b>2</p>',
  );
  expect(markup`${'a\u0000b\u001bc\nd'}`.text).toBe('a\ufffdb\ufffdc\nd');
});

test('a line runs through its points, from the left lower to the right upper corner', () => {
  const axis = { label: 'x', domain: [0, 10], exact: true } as const;
  const points = [
    [0, 0],
    [5, 10],
    [10, 5],
  ] as const;
  const svg = lineChart('a line', axis, { ...axis, label: 'y' }, [{ style: 1, points }]).text;
  const [path] = attributes(svg, 'line s1', 'd');
  const [left, bottom, middle, top, right, half] = path!.slice(1).split(/[L,]/).map(Number) as number[];
  expect(middle).toBeCloseTo((left! + right!) / 2, 1);
  expect(half).toBeCloseTo((top! + bottom!) / 2, 1);
  expect(left).toBeGreaterThan(0);
  expect(right).toBeGreaterThan(left!);
  expect(chartWidth).toBeGreaterThan(right!);
  expect(top).toBeGreaterThan(0);
  expect(bottom).toBeGreaterThan(top!);
  expect(chartHeight).toBeGreaterThan(bottom!);
  expect(svg).toContain('role="img" aria-label="a line"');
});

test('a stepped line keeps its value, and moments are marked', () => {
  const axis = { label: 'x', domain: [0, 4], exact: true } as const;
  const points = [
    [0, 1],
    [4, 3],
  ] as const;
  const svg = lineChart('steps', axis, axis, [{ style: 0, points, stepped: true }], [{ x: 2 }]).text;
  expect(attributes(svg, 'line s0', 'd')[0]).toMatch(/^M[\d.]+,[\d.]+H[\d.]+V[\d.]+$/);
  expect(attributes(svg, 'moment', 'x1')).toHaveLength(1);
});

test('a line of one point, of no point, and an axis without extent can be drawn', () => {
  const axis = { label: 'x', domain: [3, 3] } as const;
  const svg = lineChart('a point', axis, axis, [
    { style: 0, points: [[3, 3]], marked: true },
    { style: 1, points: [] },
  ]).text;
  expect(attributes(svg, 'dot s0', 'cx')).toHaveLength(1);
  expect(svg).not.toMatch(/NaN|undefined|Infinity/);
});

test('a logarithmic axis puts each factor of ten at the same distance', () => {
  const x = { label: 'k', domain: [1, 1000], logarithmic: true } as const;
  const points = [1, 10, 100, 1000].map((k) => [k, 0] as const);
  const y = { label: 'y', domain: [0, 1], exact: true } as const;
  const svg = lineChart('ranks', x, y, [{ style: 0, points, marked: true }]).text;
  const places = attributes(svg, 'dot s0', 'cx').map(Number);
  expect(places[2]! - places[1]!).toBeCloseTo(places[1]! - places[0]!, 0);
  expect(places[3]! - places[2]!).toBeCloseTo(places[1]! - places[0]!, 0);
});

test('bars are as high as their values', () => {
  const svg = barChart(
    'bars',
    'bit',
    { label: 'share', domain: [0, 1], exact: true },
    [0.25, 0.5, 1],
    0.5,
  ).text;
  const heights = attributes(svg, 'bar s0', 'height').map(Number);
  expect(heights[1]! / heights[0]!).toBeCloseTo(2, 1);
  expect(heights[2]! / heights[0]!).toBeCloseTo(4, 1);
  expect(attributes(svg, 'moment', 'y1')).toHaveLength(1);
});

test('a matrix has a cell for each value that is not 0, with the sign in its class', () => {
  const svg = heatMap('matrix', [1, -0.5, 0, 0.25], ['1', '']).text;
  expect(attributes(svg, 'positive', 'fill-opacity')).toEqual(['1', '0.25']);
  expect(attributes(svg, 'negative', 'fill-opacity')).toEqual(['0.5']);
  expect(attributes(svg, 'tick', 'x')).toHaveLength(2);
});
