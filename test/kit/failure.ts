import { expect } from 'vitest';

/** Matches an error of this project by its code and a part of its sentence. */
export function failure(code: string, sentence: string | RegExp): Error {
  return expect.objectContaining({
    code,
    message:
      typeof sentence === 'string' ? expect.stringContaining(sentence) : expect.stringMatching(sentence),
  });
}
