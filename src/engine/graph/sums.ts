import type { WirePrecision } from '../../run/training-run.js';
import type { Graph, Value } from './graph.js';
import { rounded } from './operations.js';
import { afterAll, assign, assignSum, read, variable } from './variables.js';

/** The most sums that a graph keeps at a time. A sum of 2 ** mostKept values needs no more. */
export const mostKept = 4;

/** What sums a tuple of values in TensorFlow, without reading it there. */
export interface Sums {
  /** Makes the tuple the current one. @returns the nodes that must have run */
  take(values: readonly Value[]): Value[];
  /**
   * Names of the nodes that give (kept[n − merged] + (… + (kept[n − 1] + current))), one for each value of the tuple. A
   * run that asks for them uses the added sums up.
   * @param kept n, the number of sums that are kept
   * @param merged how many of them are added, at most n; the last one first
   */
  sum(kept: number, merged: number): readonly string[];
  /** Name of the node whose run keeps that sum instead of those that it contains; n − merged is below `mostKept`. */
  keep(kept: number, merged: number): string;
}

/**
 * Adds a stack of tuples to a graph. The tuples lie in variables, and a sum takes the place of its left part. TensorFlow
 * may reorder additions of values (it makes one sum of n values of them), but not those of variables.
 * @param shapes of the values of a tuple
 * @param precision to which the values, and each sum of two, are rounded
 */
export function addSums(
  graph: Graph,
  shapes: readonly (readonly number[])[],
  precision: WirePrecision,
): Sums {
  const place = (name: string) => shapes.map((shape, index) => variable(graph, `${name}_${index}`, shape));
  const current = place('current');
  const kept = Array.from({ length: mostKept }, (_, position) => place(`kept_${position}`));
  const values = current.map((handle, index) => read(handle, shapes[index]!));
  /** Adds to a variable. */
  const addTo = (handle: Value, value: Value): Value => {
    const sum = assignSum(handle, value);
    return precision === 'float32'
      ? sum
      : assign(handle, rounded(read(handle, value.shape, [sum]), precision));
  };
  const names: string[][][] = [];
  const nameOfKeep = (count: number, merged: number) => `keep_${count}_${merged}`;
  for (let count = 0; count <= mostKept; count++) {
    let sum = values;
    names[count] = [sum.map(({ node }) => node)];
    const free = kept[count];
    if (free) {
      const assigned = free.map((handle, index) => assign(handle, values[index]!));
      afterAll(graph, nameOfKeep(count, 0), assigned);
    }
    for (let merged = 1; merged <= count; merged++) {
      const left = kept[count - merged]!;
      const added = sum.map((right, index) => addTo(left[index]!, right));
      afterAll(graph, nameOfKeep(count, merged), added);
      sum = left.map((handle, index) => read(handle, shapes[index]!, [added[index]!]));
      names[count]![merged] = sum.map(({ node }) => node);
    }
  }
  return {
    take: (taken) => taken.map((value, index) => assign(current[index]!, rounded(value, precision))),
    sum: (count, merged) => names[count]![merged]!,
    keep: nameOfKeep,
  };
}
