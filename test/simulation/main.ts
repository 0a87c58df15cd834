import { simulateAndCompare } from './simulation.js';

/** `npm run simulate`: one seed with its trace, or many with what they found. */
const { seed, count, trace } = readArguments(process.argv.slice(2));
let failed = 0;
for (let each = seed; each < seed + count; each++) {
  const outcome = await simulateAndCompare(each);
  if (trace) console.log(outcome.trace.join('\n'));
  if (outcome.violations.length > 0) failed++;
  if (trace || outcome.violations.length > 0 || count === 1) {
    const faults = outcome.plan.faults.map(({ kind }) => kind).join(', ') || 'no faults';
    console.log(`seed ${each}: ${outcome.violations.join('; ') || 'right'} (${faults})`);
  }
}
if (count > 1) console.log(JSON.stringify({ seeds: count, first: seed, failed }));
process.exitCode = failed > 0 ? 1 : 0;

function readArguments(words: readonly string[]): { seed: number; count: number; trace: boolean } {
  const numberAfter = (flag: string, otherwise: number) => {
    const place = words.indexOf(flag);
    if (place < 0) return otherwise;
    const value = Number(words[place + 1]);
    if (Number.isSafeInteger(value) && value >= 0) return value;
    console.error(`${flag} is ${words[place + 1] ?? 'missing'}, expected a number from 0`);
    process.exit(64);
  };
  return {
    seed: numberAfter('--seed', 1),
    count: numberAfter('--count', 1),
    trace: words.includes('--trace'),
  };
}
