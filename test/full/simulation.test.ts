import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';

const seeds = Number(process.env.FCAENET_SEEDS ?? 20_000);
/** Side by side, each with its share of the seeds. */
const processes = 2;
const simulator = resolve('.cache', 'simulation', 'test', 'simulation', 'main.js');

interface Summary {
  readonly seeds: number;
  readonly failures: readonly string[];
}

/** @returns the line of JSON that the simulator ends with; rejects where it ends without */
async function simulated(first: number, count: number): Promise<Summary> {
  const child = spawn(process.execPath, [simulator, '--seed', `${first}`, '--count', `${count}`], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += text));
  await new Promise((done) => child.once('close', done));
  const last = output.trimEnd().split('\n').at(-1)!;
  if (!last.startsWith('{"first"')) throw new Error(`the simulator ended early: ${output.slice(-2_000)}`);
  return JSON.parse(last) as Summary;
}

test(`${seeds} seeds end with the bits of an undisturbed run, and nothing is left over`, async () => {
  const compiled = spawnSync(process.execPath, ['scripts/simulate.mjs', '--build'], { encoding: 'utf8' });
  expect(compiled).toMatchObject({ status: 0, stderr: '' });
  const started = performance.now();
  const share = Math.ceil(seeds / processes);
  const summaries = await Promise.all(
    Array.from({ length: processes }, (_, process) => simulated(1 + process * share, share)),
  );
  const seconds = (performance.now() - started) / 1000;
  const total = {
    seeds: summaries.reduce((sum, each) => sum + each.seeds, 0),
    seedsPerSecond: Number(((processes * share) / seconds).toFixed(1)),
    seconds: Math.round(seconds),
    failures: summaries.flatMap(({ failures }) => failures),
  };
  const folder = resolve('bench', 'results');
  const file = resolve(folder, `simulation-${new Date().toISOString().replaceAll(':', '-')}.json`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, `${JSON.stringify(total, null, 2)}\n`);
  process.stdout.write(`${JSON.stringify(total)}\n${file}\n`);
  expect(total.failures).toEqual([]);
}, 10_800_000);
