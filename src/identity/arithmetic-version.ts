/**
 * Increase it with every change that alters a bit of a run's result: sampling, the order of sums, rounding, the loss,
 * the V-step, a picture's pixels. Checkpoints and the numerical identity record it.
 */
export const arithmeticVersion = 2;
