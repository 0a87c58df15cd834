import type { Branch, ForwardPass } from '../methods/passes.js';

/** What the branches of a microbatch have; null where the method has no such branch. */
export type OfBranches<Value> = { readonly [branch in Branch]: Value | null };

/** What the branches of a pass have, one behind the other; of a single one that array itself. */
export function ofPass(pass: ForwardPass, values: OfBranches<Float32Array>): Float32Array {
  const parts = pass.map((branch) => values[branch]!);
  if (parts.length === 1) return parts[0]!;
  const joined = new Float32Array(parts.reduce((length, part) => length + part.length, 0));
  let position = 0;
  for (const part of parts) {
    joined.set(part, position);
    position += part.length;
  }
  return joined;
}

/**
 * Copies of what each branch has of some passes.
 * @param values of each pass, those of its branches one behind the other
 * @param size number of elements of a branch
 */
export function byBranch(
  passes: readonly ForwardPass[],
  values: readonly Float32Array<ArrayBuffer>[],
  size: number,
): OfBranches<Float32Array<ArrayBuffer>> {
  const found: Record<Branch, Float32Array<ArrayBuffer> | null> = {
    anchor: null,
    positive: null,
    erased: null,
  };
  passes.forEach((pass, index) => {
    pass.forEach((branch, place) => {
      found[branch] = values[index]!.slice(place * size, (place + 1) * size);
    });
  });
  return found;
}
