/**
 * Raised by every change that alters a bit of a run's result, wherever it is made: sampling, the order of sums,
 * rounding, the loss, the V-step, what a picture's pixels are. Checkpoints and the numerical identity record it.
 */
export const arithmeticVersion = 2;
