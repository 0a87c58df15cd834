import type { RelevantRanks } from './hamming-index.js';

/**
 * Average precision over the whole database (method 18): (1 / R) Σ over relevant items of (their number so far) / rank.
 * A query without relevant items has 0.
 */
export function averagePrecision({
  ranks,
  relevantCount,
}: Pick<RelevantRanks, 'ranks' | 'relevantCount'>): number {
  let sum = 0;
  for (let i = 0; i < relevantCount; i++) sum += (i + 1) / ranks[i]!;
  return relevantCount === 0 ? 0 : sum / relevantCount;
}

/** Harmonic numbers H₀..H_n `[n + 1]`. */
export function harmonicNumbers(n: number): Float64Array {
  const harmonic = new Float64Array(n + 1);
  for (let i = 1; i <= n; i++) harmonic[i] = harmonic[i - 1]! + 1 / i;
  return harmonic;
}

/**
 * Expected average precision when items of one distance come in uniformly random order (McSherry and Najork, 2008).
 * After B items of which P are relevant, let t items tie, r of them relevant. The j-th of them is relevant with
 * probability r / t and then has (j − 1)(r − 1) / (t − 1) relevant ones before it, in expectation. Summed over j this
 * is (r / t) [ (P + 1) h + (r − 1) / (t − 1) · (t − (B + 1) h) ] with h = H_{B+t} − H_B.
 * @param harmonic `harmonicNumbers(n)` of the database's size n
 */
export function tieAveragedPrecision(ranked: RelevantRanks, harmonic: Float64Array): number {
  const { counts, relevantCounts, relevantCount } = ranked;
  let before = 0;
  let relevantBefore = 0;
  let sum = 0;
  for (let d = 0; d < counts.length; d++) {
    const tied = counts[d]!;
    const relevant = relevantCounts[d]!;
    if (relevant > 0) {
      const h = harmonic[before + tied]! - harmonic[before]!;
      const growth = tied === 1 ? 0 : ((relevant - 1) / (tied - 1)) * (tied - (before + 1) * h);
      sum += (relevant / tied) * ((relevantBefore + 1) * h + growth);
    }
    before += tied;
    relevantBefore += relevant;
  }
  return relevantCount === 0 ? 0 : sum / relevantCount;
}

/** Share of relevant items among the first k of the ranking. */
export function precisionAt({ ranks, relevantCount }: RelevantRanks, k: number): number {
  let found = 0;
  while (found < relevantCount && ranks[found]! <= k) found++;
  return found / k;
}
