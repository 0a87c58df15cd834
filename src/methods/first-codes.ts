import { learnsDatabase, type Method, presetGamma, publishedFirstCodes } from './methods.js';

/**
 * V before the first step: as the publication of the method has it, random signs or 0 (method 6.12); 0; or a code for
 * each class, from the mean of its features, to which the hash layer of a pretrained network is fitted.
 */
export const firstCodes = ['published', 'zero', 'class-means'] as const;
export type FirstCodes = (typeof firstCodes)[number];

/** What decides V before the first step. */
export interface FirstCodesSettings {
  readonly method: Method;
  readonly firstCodes: FirstCodes;
}

/**
 * Whether a run trains with V = 0 until its first database codes are made. Coordinator and workers ask this alike: no
 * codes are sent while V is 0.
 */
export function beginsWithoutCodes({ method, firstCodes }: FirstCodesSettings): boolean {
  if (firstCodes === 'published') return publishedFirstCodes(method) === 'zero';
  return firstCodes === 'zero';
}

/**
 * The setting that a method can follow: `published` where it learns no V. It is also `published` instead of `zero` where
 * that is the same V, so that equal runs have one training hash, and where the method has no quantisation term, with
 * which V = 0 acts on the network.
 */
export function firstCodesOf(method: Method, asked: FirstCodes): FirstCodes {
  if (!learnsDatabase(method)) return 'published';
  const followsZero = publishedFirstCodes(method) !== 'zero' && presetGamma(method) !== 0;
  return asked === 'zero' && !followsZero ? 'published' : asked;
}
