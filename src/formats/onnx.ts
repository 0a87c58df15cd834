import protobuf from 'protobufjs';

/**
 * The messages of an ONNX file, as far as a network of float32 tensors needs them. Names and numbers of the fields are
 * those of `onnx.proto3`, version 8 of the intermediate representation.
 */
const source = `
syntax = "proto3";
message ModelProto {
  int64 ir_version = 1;
  string producer_name = 2;
  string producer_version = 3;
  string doc_string = 6;
  GraphProto graph = 7;
  repeated OperatorSetIdProto opset_import = 8;
  repeated StringStringEntryProto metadata_props = 14;
}
message OperatorSetIdProto { string domain = 1; int64 version = 2; }
message StringStringEntryProto { string key = 1; string value = 2; }
message GraphProto {
  repeated NodeProto node = 1;
  string name = 2;
  repeated TensorProto initializer = 5;
  repeated ValueInfoProto input = 11;
  repeated ValueInfoProto output = 12;
}
message NodeProto {
  repeated string input = 1;
  repeated string output = 2;
  string name = 3;
  string op_type = 4;
  repeated AttributeProto attribute = 5;
}
message AttributeProto {
  string name = 1;
  float f = 2;
  int64 i = 3;
  repeated int64 ints = 8;
  int32 type = 20;
}
message TensorProto {
  repeated int64 dims = 1;
  int32 data_type = 2;
  string name = 8;
  bytes raw_data = 9;
}
message ValueInfoProto { string name = 1; TypeProto type = 2; string doc_string = 3; }
message TypeProto {
  TensorTypeProto tensor_type = 1;
  message TensorTypeProto { int32 elem_type = 1; TensorShapeProto shape = 2; }
}
message TensorShapeProto {
  repeated Dimension dim = 1;
  message Dimension { oneof value { int64 dim_value = 1; string dim_param = 2; } }
}
`;

/** The type of a whole file. */
export const onnxModel = protobuf.parse(source, { keepCase: true }).root.lookupType('ModelProto');

/** Numbers of element types. */
export const onnxTypes = { float32: 1, uint8: 2, int64: 7 } as const;
export type OnnxType = keyof typeof onnxTypes;

export interface OnnxNode {
  /** Names the node and its only output. */
  readonly name: string;
  readonly operator: string;
  readonly inputs: readonly string[];
  /** A list is a list of whole numbers, a number a whole number, `{ float }` a float. */
  readonly attributes?: Readonly<Record<string, number | readonly number[] | { readonly float: number }>>;
}

export interface OnnxTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array | Uint8Array | BigInt64Array;
}

/** An input or output of a graph. An extent that is text has that name and any size. */
export interface OnnxValue {
  readonly name: string;
  readonly type: OnnxType;
  readonly shape: readonly (number | string)[];
  readonly description: string;
}

export interface OnnxModel {
  readonly producer: { readonly name: string; readonly version: string };
  readonly name: string;
  readonly description: string;
  readonly operatorSet: number;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxTensor[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** Version of the intermediate representation that goes with the messages above. */
const irVersion = 8;

/** A model as the bytes of a `.onnx` file. */
export function encodeOnnx(model: OnnxModel): Uint8Array {
  return onnxModel
    .encode({
      ir_version: irVersion,
      producer_name: model.producer.name,
      producer_version: model.producer.version,
      doc_string: model.description,
      graph: {
        node: model.nodes.map(nodeMessage),
        name: model.name,
        initializer: model.initializers.map(tensorMessage),
        input: model.inputs.map(valueMessage),
        output: model.outputs.map(valueMessage),
      },
      opset_import: [{ domain: '', version: model.operatorSet }],
      metadata_props: Object.entries(model.metadata).map(([key, value]) => ({ key, value })),
    })
    .finish();
}

function nodeMessage({ name, operator, inputs, attributes = {} }: OnnxNode) {
  return {
    input: inputs,
    output: [name],
    name,
    op_type: operator,
    attribute: Object.entries(attributes).map(([attribute, value]) => ({
      name: attribute,
      ...attributeValue(value),
    })),
  };
}

/** With the numbers of the types of attributes: 1 float, 2 whole number, 7 whole numbers. */
function attributeValue(value: number | readonly number[] | { readonly float: number }) {
  if (typeof value === 'number') return { i: value, type: 2 };
  return 'float' in value ? { f: value.float, type: 1 } : { ints: value, type: 7 };
}

function tensorMessage({ name, shape, data }: OnnxTensor) {
  const type = data instanceof Float32Array ? 'float32' : data instanceof Uint8Array ? 'uint8' : 'int64';
  return {
    dims: shape,
    data_type: onnxTypes[type],
    name,
    raw_data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  };
}

function valueMessage({ name, type, shape, description }: OnnxValue) {
  const dim = shape.map((extent) =>
    typeof extent === 'string' ? { dim_param: extent } : { dim_value: extent },
  );
  return {
    name,
    type: { tensor_type: { elem_type: onnxTypes[type], shape: { dim } } },
    doc_string: description,
  };
}
