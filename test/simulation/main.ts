import { parseArgs } from 'node:util';
import { describe } from './seeds.js';
import { simulateAndCompare } from './simulation.js';

/** `npm run simulate`: one seed with its trace, or many with what they found and one line of JSON. */
const { seed, count, trace } = readArguments(process.argv.slice(2));
const started = performance.now();
const failures: string[] = [];
for (let each = seed; each < seed + count; each++) {
  const outcome = await simulateAndCompare(each);
  const isWrong = outcome.violations.length > 0;
  if (isWrong) failures.push(describe(outcome));
  if (trace) console.log(outcome.trace.join('\n'));
  if (trace || isWrong || count === 1) console.log(describe(outcome));
}
if (count > 1) {
  const seconds = (performance.now() - started) / 1000;
  const seedsPerSecond = Number((count / seconds).toFixed(1));
  console.log(JSON.stringify({ first: seed, seeds: count, seedsPerSecond, failures }));
}
process.exitCode = failures.length > 0 ? 1 : 0;

function readArguments(words: string[]): { seed: number; count: number; trace: boolean } {
  try {
    const { values } = parseArgs({
      args: words,
      options: {
        seed: { type: 'string', default: '1' },
        count: { type: 'string', default: '1' },
        trace: { type: 'boolean', default: false },
      },
    });
    return {
      seed: numberOf('seed', values.seed),
      count: numberOf('count', values.count),
      trace: values.trace,
    };
  } catch (error) {
    console.error(`fcaenet: ${(error as Error).message}`);
    process.exit(64);
  }
}

function numberOf(flag: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new Error(`--${flag} is ${text}, but must be a whole number from 1 to 999999999.`);
}
