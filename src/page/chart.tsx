import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { wordsOfNumber } from '../live/words.js';
import type { Series } from './series.js';

const height = 240;

interface ChartProps {
  readonly title: string;
  readonly xLabel: string;
  readonly series: readonly Series[];
  /** Shown instead of a chart without points. */
  readonly empty: string;
  /** How to read the chart, where its title does not say it. */
  readonly note?: string | undefined;
}

/** Curves over a common x. They follow the width of their place and the colour scheme. */
export function Chart({ title, xLabel, series, empty, note }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  /** Whether only a part is shown, which new points must not change. */
  const isEnlarged = useRef(false);
  const scheme = useColourScheme();
  const shape = series.map(({ label, colour, isDashed }) => `${label}|${colour}|${isDashed}`).join();

  // The shape stands for the series; their data come below.
  useEffect(() => {
    const element = place.current;
    if (element === null || series.length === 0) return;
    const options = optionsOf(element, xLabel, series);
    const selected = ({ select }: uPlot) => {
      isEnlarged.current ||= select.width > 0;
    };
    const made = new uPlot({ ...options, hooks: { setSelect: [selected] } }, dataOf(series), element);
    isEnlarged.current = false;
    made.over.addEventListener('dblclick', () => {
      isEnlarged.current = false;
    });
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: widthOf(element), height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape, scheme, xLabel]);

  useEffect(() => {
    plot.current?.setData(dataOf(series), !isEnlarged.current);
    if (isEnlarged.current) plot.current?.redraw();
  }, [series]);

  const last = series.map(({ label, y }) => `${label} ${wordsOfNumber(lastOf(y))}`).join(', ');
  return (
    <section class="card chart">
      <h2>{title}</h2>
      {series.length === 0 ? (
        <p class="empty">{empty}</p>
      ) : (
        <div class="plot" role="img" aria-label={`${title} by ${xLabel}; last values: ${last}`} ref={place} />
      )}
      {series.length > 0 && note !== undefined && <p class="quiet">{note}</p>}
    </section>
  );
}

function dataOf(series: readonly Series[]): uPlot.AlignedData {
  if (series.length === 0) return [[]];
  if (series.every(({ x }) => x === series[0]!.x)) {
    return [[...series[0]!.x], ...series.map(({ y }) => [...y])] as uPlot.AlignedData;
  }
  return uPlot.join(series.map(({ x, y }) => [[...x], [...y]] as uPlot.AlignedData));
}

function optionsOf(element: HTMLElement, xLabel: string, series: readonly Series[]): uPlot.Options {
  const colour = (name: string) => getComputedStyle(element).getPropertyValue(name).trim();
  const axis = {
    stroke: colour('--quiet'),
    grid: { stroke: colour('--rule'), width: 1 },
    ticks: { stroke: colour('--rule'), width: 1 },
    font: '12px system-ui, sans-serif',
  };
  const whole = (value: number) => (Number.isInteger(value) ? String(value) : '');
  return {
    width: widthOf(element),
    height,
    scales: { x: { time: false } },
    cursor: { y: false, drag: { x: true, y: false } },
    legend: { live: true },
    axes: [
      { ...axis, values: (_, splits) => splits.map(whole) },
      { ...axis, size: 56, values: (_, splits) => splits.map((value) => wordsOfNumber(value, 3)) },
    ],
    series: [
      { label: xLabel, value: (plot, value) => String(value ?? lastOf(plot.data[0])) },
      ...series.map(({ label, colour: name, isDashed, x }) => ({
        label,
        stroke: colour(name),
        width: 2,
        ...(isDashed && { dash: [6, 4] }),
        spanGaps: true,
        points: { show: x.length < 40, size: 6 },
        // Without a cursor, the last value.
        value: (plot: uPlot, value: number | null, at: number, index?: number | null) =>
          wordsOfNumber(index == null ? lastOf(plot.data[at]!) : value),
      })),
    ],
  };
}

function lastOf(values: ArrayLike<number | null | undefined>): number | null {
  return Array.from(values).findLast((value) => value != null) ?? null;
}

function widthOf(element: HTMLElement): number {
  return Math.max(200, element.clientWidth);
}

function useColourScheme(): 'light' | 'dark' {
  const query = matchMedia('(prefers-color-scheme: dark)');
  const [isDark, setDark] = useState(query.matches);
  useEffect(() => {
    const changed = () => setDark(query.matches);
    query.addEventListener('change', changed);
    return () => query.removeEventListener('change', changed);
  }, []);
  return isDark ? 'dark' : 'light';
}
