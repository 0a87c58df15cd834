/**
 * The negative log likelihood of a pair, log(1 + e^Θ) − sΘ, and its derivative by Θ, σ(Θ) − s, without overflow.
 * @param similar s: 1 for a similar pair, else 0
 */
export function likelihood(theta: number, similar: number): { value: number; slope: number } {
  const small = Math.exp(-Math.abs(theta));
  return {
    value: Math.max(theta, 0) + Math.log1p(small) - similar * theta,
    slope: (theta >= 0 ? 1 : small) / (1 + small) - similar,
  };
}
