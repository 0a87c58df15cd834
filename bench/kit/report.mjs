// What the benchmarks share: medians, and a dated file of results.
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';

/** @param {number[]} values at least one */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/** Median with its spread, as text. */
export function spread(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return `${median(values).toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
}

/**
 * A 95 % interval of the median of what the values are drawn from, whatever their distribution: the two of them between
 * which it lies by the signs of their differences (Conover 1999, section 3.2).
 * @param {number[]} values
 * @returns {[number, number] | null} null for fewer than six values, which have none
 */
export function medianInterval(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const count = sorted.length;
  // Probability that at most `below` of the values lie below the median.
  let probability = 0;
  let below = -1;
  for (let next = 0.5 ** count; probability + next <= 0.025; next *= (count - below) / (below + 1)) {
    probability += next;
    below++;
  }
  return below < 0 ? null : [sorted[below], sorted[count - 1 - below]];
}

/** Writes `bench/results/NAME-DATE.json` with the machine it was measured on, and says so. */
export function writeReport(name, content) {
  const date = new Date().toISOString();
  const machine = { processor: cpus()[0].model, processors: availableParallelism(), node: process.version };
  const folder = join(import.meta.dirname, '..', 'results');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${name}-${date.replace(/[:.]/g, '-')}.json`);
  writeFileSync(file, `${JSON.stringify({ date, machine, ...content }, null, 2)}\n`);
  console.log(`written to ${file}`);
}
