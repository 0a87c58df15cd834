import type { Value } from '../../engine/graph/graph.js';
import { elements, flattened } from '../../engine/graph/operations.js';
import type { Place } from '../../engine/graph/session.js';
import type { NetworkLayout } from '../layout.js';

/** Smaller parameters are one part together: each part is a few nodes, and most of a ResNet's parameters are small. */
const joinedBelow = 16_384;

/** Parameters whose derivatives a graph handles as one flat value, by their places in the layout. */
export type GradientPart = readonly number[];

/** Every parameter lies in one part. */
export function gradientParts({ parameters }: NetworkLayout): GradientPart[] {
  const all = parameters.map((_, index) => index);
  const isSmall = (index: number) => elements(parameters[index]!.shape) < joinedBelow;
  const small = all.filter(isSmall);
  const large = all.filter((index) => !isSmall(index)).map((index) => [index]);
  return small.length > 0 ? [...large, small] : large;
}

/** Elements of a part. */
export function partLength({ parameters }: NetworkLayout, part: GradientPart): number {
  return part.reduce((sum, index) => sum + elements(parameters[index]!.shape), 0);
}

/** Derivatives by all parameters, in layout order, as the values of the parts. */
export function partValues(parts: readonly GradientPart[], derivatives: readonly Value[]): Value[] {
  return parts.map((part) => flattened(part.map((index) => derivatives[index]!)));
}

/**
 * Reads the values of the parts to their places in a flat gradient.
 * @param gradient `[parameterCount]`
 * @param read copies each part to a place
 */
export function readParts(
  layout: NetworkLayout,
  parts: readonly GradientPart[],
  gradient: Float32Array,
  read: (places: readonly Place[]) => void,
): void {
  const { parameters } = layout;
  const together = parts.map((part) => (part.length > 1 ? new Float32Array(partLength(layout, part)) : null));
  read(
    parts.map(([first], index) => {
      const own = together[index];
      return own ? { target: own, offset: 0 } : { target: gradient, offset: parameters[first!]!.offset };
    }),
  );
  parts.forEach((part, index) => {
    let position = 0;
    for (const each of together[index] ? part : []) {
      const { offset, shape } = parameters[each]!;
      const end = position + elements(shape);
      gradient.set(together[index]!.subarray(position, end), offset);
      position = end;
    }
  });
}
