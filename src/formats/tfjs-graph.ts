/**
 * TensorFlow.js's graph model: `model.json` with the graph and a list of tensors, and the tensors' bytes in files beside
 * it. `tf.loadGraphModel` reads it. Source: the types of `@tensorflow/tfjs-converter` and `tf.io`.
 */

/** An operation, and the name of its only output. */
export interface TfjsNode {
  readonly name: string;
  /** TensorFlow's name of the operation. */
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly attributes: Readonly<Record<string, TfjsAttribute>>;
}

export type TfjsType = 'float32' | 'int32';
export type TfjsAttribute =
  | { readonly type: TfjsType }
  | { readonly text: string }
  | { readonly integer: number }
  | { readonly float: number }
  | { readonly flag: boolean }
  | { readonly integers: readonly number[] }
  | { readonly shape: readonly number[] };

/** A tensor of the graph. */
export interface TfjsConstant {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

/** An input or output; an extent of -1 is any number. */
export interface TfjsValue {
  readonly name: string;
  readonly type: TfjsType;
  readonly shape: readonly number[];
}

export interface TfjsModel {
  readonly producer: string;
  readonly nodes: readonly TfjsNode[];
  readonly constants: readonly TfjsConstant[];
  readonly inputs: readonly TfjsValue[];
  readonly outputs: readonly TfjsValue[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** Of a file of tensors, as TensorFlow.js's own converter makes them: browsers keep files of this size in their cache. */
const fileBytes = 4 * 2 ** 20;

const typeNames = { float32: 'DT_FLOAT', int32: 'DT_INT32' } as const;

/** A model as files, by name. */
export function encodeTfjsModel(model: TfjsModel): { name: string; bytes: Uint8Array }[] {
  const all = Buffer.concat(
    model.constants.map(({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
  );
  const count = Math.ceil(all.length / fileBytes);
  const files = Array.from({ length: count }, (_, index) => ({
    name: `group1-shard${index + 1}of${count}.bin`,
    bytes: all.subarray(index * fileBytes, (index + 1) * fileBytes),
  }));
  const description = {
    format: 'graph-model',
    generatedBy: model.producer,
    convertedBy: model.producer,
    signature: { inputs: signature(model.inputs), outputs: signature(model.outputs) },
    userDefinedMetadata: model.metadata,
    modelTopology: {
      node: [
        ...model.constants.map((constant) =>
          nodeDefinition({
            name: constant.name,
            operator: 'Const',
            inputs: [],
            attributes: { dtype: { type: typeOf(constant) } },
          }),
        ),
        ...model.nodes.map(nodeDefinition),
      ],
      library: {},
      versions: { producer: 1882 },
    },
    weightsManifest: [
      {
        paths: files.map(({ name }) => name),
        weights: model.constants.map((constant) => ({
          name: constant.name,
          shape: constant.shape,
          dtype: typeOf(constant),
        })),
      },
    ],
  };
  return [{ name: 'model.json', bytes: Buffer.from(JSON.stringify(description)) }, ...files];
}

function typeOf({ data }: TfjsConstant): TfjsType {
  return data instanceof Float32Array ? 'float32' : 'int32';
}

function signature(values: readonly TfjsValue[]): object {
  return Object.fromEntries(
    values.map(({ name, type, shape }) => [
      name,
      { name: `${name}:0`, dtype: typeNames[type], tensorShape: shapeDefinition(shape) },
    ]),
  );
}

function nodeDefinition({ name, operator, inputs, attributes }: TfjsNode): object {
  const attr = Object.fromEntries(
    Object.entries(attributes).map(([attribute, value]) => [attribute, attributeDefinition(value)]),
  );
  return { name, op: operator, ...(inputs.length > 0 && { input: inputs }), attr };
}

/** In the JSON form of TensorFlow's messages: 64-bit numbers are texts, bytes are base64. */
function attributeDefinition(value: TfjsAttribute): object {
  if ('type' in value) return { type: typeNames[value.type] };
  if ('text' in value) return { s: Buffer.from(value.text).toString('base64') };
  if ('integer' in value) return { i: String(value.integer) };
  if ('float' in value) return { f: value.float };
  if ('flag' in value) return { b: value.flag };
  if ('integers' in value) return { list: { i: value.integers.map(String) } };
  return { shape: shapeDefinition(value.shape) };
}

function shapeDefinition(shape: readonly number[]): object {
  return { dim: shape.map((extent) => ({ size: String(extent) })) };
}
