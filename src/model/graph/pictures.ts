import type { Graph, Value } from '../../engine/graph/graph.js';
import type { NetworkLayout } from '../layout.js';

/** A placeholder of normalised pictures `[rows, height, width, 3]`. */
export function pictures(graph: Graph, name: string, rows: number, { height, width }: NetworkLayout): Value {
  return graph.placeholder(name, 'float32', [rows, height, width, 3]);
}
