/** Arithmetic mean; NaN of no values. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Standard deviation of a sample, divided by n − 1; null of fewer than two values. */
export function standardDeviation(values: readonly number[]): number | null {
  if (values.length < 2) return null;
  const centre = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1));
}

/** The difference of two methods; docs/comparison.md defines it. */
export interface PairedDifference {
  readonly pairs: number;
  readonly mean: number;
  /** Ends of the 95 % interval; null of fewer than three pairs. */
  readonly interval: readonly [low: number, high: number] | null;
}

/** @param differences one for each pair; null of no pairs */
export function pairedDifference(differences: readonly number[]): PairedDifference | null {
  const pairs = differences.length;
  if (pairs === 0) return null;
  const centre = mean(differences);
  if (pairs < 3) return { pairs, mean: centre, interval: null };
  const half = (studentQuantile95(pairs - 1) * standardDeviation(differences)!) / Math.sqrt(pairs);
  return { pairs, mean: centre, interval: [centre - half, centre + half] };
}

/** The t for which Student's distribution with `degrees` degrees of freedom has 95 % within ±t: its 0.975 quantile. */
export function studentQuantile95(degrees: number): number {
  let [low, high] = [0, 13];
  // 60 halvings of 13 are less than the rounding of a double.
  for (let halving = 0; halving < 60; halving++) {
    const middle = (low + high) / 2;
    if (withinStudent(middle, degrees) < 0.95) low = middle;
    else high = middle;
  }
  return high;
}

/**
 * Probability that Student's t with a whole number of degrees of freedom is within ±t: the finite series 26.7.3 (odd)
 * and 26.7.4 (even) of Abramowitz and Stegun.
 */
function withinStudent(t: number, degrees: number): number {
  const angle = Math.atan(t / Math.sqrt(degrees));
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
  const isOdd = degrees % 2 === 1;
  let term = isOdd ? cosine : 1;
  let sum = degrees === 1 ? 0 : term;
  for (let power = isOdd ? 3 : 2; power <= degrees - 2; power += 2) {
    term *= (cosine ** 2 * (power - 1)) / power;
    sum += term;
  }
  return isOdd ? (2 / Math.PI) * (angle + sine * sum) : sine * sum;
}
