// Lists and numbers on a benchmark's command line.
import { parseArgs } from 'node:util';

/** A wrong option: one sentence without a stack trace. */
export class OptionError extends Error {}

/** As `parseArgs`; of options that it does not know only the sentence is shown. */
export function optionsOf(config) {
  try {
    return parseArgs(config);
  } catch (error) {
    return endWith(error);
  }
}

/**
 * @param {Record<string, string>} values of the options
 * @param {readonly string[]} known
 */
export function listOf(values, name, known) {
  const list = values[name].split(',');
  const unknown = list.find((each) => !known.includes(each));
  if (unknown === undefined) return list;
  throw new OptionError(`--${name} is ${values[name]}, expected a list of ${known.join(', ')}.`);
}

/** Positive numbers, separated by commas. */
export function numbersOf(values, name) {
  const numbers = values[name].split(',').map(Number);
  if (numbers.every((each) => each > 0 && Number.isFinite(each))) return numbers;
  throw new OptionError(`--${name} is ${values[name]}, expected positive numbers.`);
}

/** One positive number. */
export function numberOf(values, name) {
  const [number, ...more] = numbersOf(values, name);
  if (more.length === 0) return number;
  throw new OptionError(`--${name} is ${values[name]}, expected one number.`);
}

/**
 * Numbers of members, each with its microbatches a power of two: only then are sums of made-up gradients exact.
 */
export function membersOf(values, microbatches) {
  const counts = numbersOf(values, 'members');
  const wrong = counts.find((members) => !Number.isInteger(Math.log2(members * microbatches)));
  if (wrong === undefined) return counts;
  throw new OptionError(
    `${wrong} members with ${microbatches} microbatches each have ${wrong * microbatches} microbatches, expected a power of two.`,
  );
}

/** Runs a benchmark; of a wrong option only the sentence is shown. */
export async function runBenchmark(body) {
  try {
    await body();
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    endWith(error);
  }
}

function endWith({ message }) {
  console.error(message);
  process.exit(64);
}
