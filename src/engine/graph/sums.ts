import type { Graph, Value } from './graph.js';
import { add } from './operations.js';
import { afterAll, assign, read, variable } from './variables.js';

/** The most sums that a graph keeps at a time. A sum of 2 ** mostKept values needs no more. */
export const mostKept = 4;

/** What sums a tuple of values in TensorFlow, without reading it there. */
export interface Sums {
  /** Makes the tuple the current one. @returns the nodes that must have run */
  take(values: readonly Value[]): Value[];
  /**
   * Names of the nodes that give (kept[n − merged] + (… + (kept[n − 1] + current))), one for each value of the tuple.
   * @param kept n, the number of sums that are kept
   * @param merged how many of them are added, at most n; the last one first
   */
  sum(kept: number, merged: number): readonly string[];
  /** Name of the node whose run keeps that sum instead of those that it contains; n − merged is below `mostKept`. */
  keep(kept: number, merged: number): string;
}

/**
 * Adds a stack of tuples to a graph. The tuples lie in variables. Each addition rounds once, in float32, and a sum that
 * contains one value shares its memory.
 * @param shapes of the values of a tuple
 */
export function addSums(graph: Graph, shapes: readonly (readonly number[])[]): Sums {
  const place = (name: string) => shapes.map((shape, index) => variable(graph, `${name}_${index}`, shape));
  const values = (handles: readonly Value[]) => handles.map((handle, index) => read(handle, shapes[index]!));
  const current = place('current');
  const kept = Array.from({ length: mostKept }, (_, position) => place(`kept_${position}`));
  const first = values(current);
  const keptValues = kept.map(values);
  const names: string[][][] = [];
  const nameOfKeep = (count: number, merged: number) => `keep_${count}_${merged}`;
  for (let count = 0; count <= mostKept; count++) {
    let sum = first;
    names[count] = [];
    for (let merged = 0; merged <= count; merged++) {
      if (merged > 0) {
        const left = keptValues[count - merged]!;
        sum = sum.map((right, index) => add(left[index]!, right));
      }
      names[count]![merged] = sum.map(({ node }) => node);
      const target = kept[count - merged];
      if (!target) continue;
      const assigned = sum.map((value, index) => assign(target[index]!, value));
      afterAll(graph, nameOfKeep(count, merged), assigned);
    }
  }
  return {
    take: (taken) => taken.map((value, index) => assign(current[index]!, value)),
    sum: (count, merged) => names[count]![merged]!,
    keep: nameOfKeep,
  };
}
