/** Types of what flows along a graph's edges. */
export type ValueType = 'float32' | 'bfloat16' | 'float64' | 'int32' | 'uint8' | 'bool' | 'resource';

export type ConstantValues = Float32Array | Float64Array | Int32Array;

/** One output of a node, of a shape that is known in full. */
export interface Value {
  readonly graph: Graph;
  readonly node: string;
  readonly output: number;
  readonly type: ValueType;
  readonly shape: readonly number[];
}

/** Values that TensorFlow's operations are configured by, each in one of the forms that it knows. */
export type Attribute =
  | { readonly type: ValueType }
  | { readonly shape: readonly number[] }
  | { readonly integer: number }
  | { readonly integers: readonly number[] }
  | { readonly float: number }
  | { readonly flag: boolean }
  | { readonly text: string }
  | { readonly tensor: ConstantValues; readonly shape: readonly number[] };

export interface GraphNode {
  readonly name: string;
  /** Name of TensorFlow's operation. */
  readonly operation: string;
  /** `node`, `node:output`, or `^node` for one that must have run before. */
  readonly inputs: readonly string[];
  readonly attributes: { readonly [name: string]: Attribute };
}

export interface NodeOptions {
  readonly attributes?: { readonly [name: string]: Attribute };
  /** By default the operation's name with a number. */
  readonly name?: string;
  /** Nodes that must have run before. */
  readonly after?: readonly Value[];
}

/** What a node gives. */
export interface ValueSpec {
  readonly type: ValueType;
  readonly shape: readonly number[];
}

/**
 * A TensorFlow graph that is being written: nodes in the order in which they were added, each after its inputs, so that
 * the same calls always give the same graph.
 */
export class Graph {
  readonly nodes: GraphNode[] = [];

  /** Adds a node and returns its outputs. */
  add(
    operation: string,
    inputs: readonly Value[],
    outputs: readonly ValueSpec[],
    { attributes = {}, name, after = [] }: NodeOptions = {},
  ): Value[] {
    const node = name ?? `${operation}_${this.nodes.length}`;
    const edges = inputs.map((input) => (input.output === 0 ? input.node : `${input.node}:${input.output}`));
    const controls = after.map((value) => `^${value.node}`);
    this.nodes.push({ name: node, operation, inputs: [...edges, ...controls], attributes });
    return outputs.map(({ type, shape }, output) => ({ graph: this, node, output, type, shape }));
  }

  /** Adds a node with one output. */
  one(operation: string, inputs: readonly Value[], output: ValueSpec, options?: NodeOptions): Value {
    return this.add(operation, inputs, [output], options)[0]!;
  }

  constant(values: ConstantValues, shape: readonly number[]): Value {
    const type =
      values instanceof Float64Array ? 'float64' : values instanceof Int32Array ? 'int32' : 'float32';
    return this.one(
      'Const',
      [],
      { type, shape },
      { attributes: { dtype: { type }, value: { tensor: values, shape } } },
    );
  }

  /** What a run feeds under this name. */
  placeholder(name: string, type: ValueType, shape: readonly number[]): Value {
    return this.one(
      'Placeholder',
      [],
      { type, shape },
      { name, attributes: { dtype: { type }, shape: { shape } } },
    );
  }

  /**
   * Gives a value a name that a run can ask for.
   * @param after nodes that must have run before
   */
  name(value: Value, name: string, after: readonly Value[] = []): Value {
    return this.one('Identity', [value], value, { name, after, attributes: { T: { type: value.type } } });
  }
}
