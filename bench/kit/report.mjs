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
