import { createRequire } from 'node:module';
import type { Attribute, ConstantValues, Graph, GraphNode, ValueType } from './graph.js';

/** TensorFlow's numbers for the types. */
const dataTypes: { readonly [Type in ValueType]: number } = {
  float32: 1,
  float64: 2,
  int32: 3,
  uint8: 4,
  bool: 10,
  bfloat16: 14,
  resource: 20,
};

/** The loader takes the graph that carries this tag. */
export const savedModelTag = 'serve';

/** Of the rules for graphs, what every TensorFlow since 2.0 writes at least. */
const producerVersion = 1087;

/** A message of the classes that tfjs-node carries, and what of it is used here. */
interface Message {
  [method: string]: (...values: unknown[]) => unknown;
}
type MessageClass = new () => Message;

/** Those of `tensorflow.SavedModel` and of what it is made of. */
interface Messages {
  readonly SavedModel: MessageClass;
  readonly MetaGraphDef: MessageClass & { readonly MetaInfoDef: MessageClass };
  readonly GraphDef: MessageClass;
  readonly VersionDef: MessageClass;
  readonly NodeDef: MessageClass;
  readonly AttrValue: MessageClass & { readonly ListValue: MessageClass };
  readonly Tensor: MessageClass;
  readonly TensorShape: MessageClass & { readonly Dim: MessageClass };
}

/**
 * A graph as the content of a `saved_model.pb`: equal graphs give equal bytes.
 *
 * @param packageName tfjs-node's, whose classes write the messages
 */
export function savedModelBytes(graph: Graph, packageName: string): Uint8Array {
  const require = createRequire(import.meta.url);
  const writer = new Writer(require(`${packageName}/dist/proto/api_pb.js`) as Messages);
  return writer.savedModel(graph);
}

class Writer {
  constructor(private readonly messages: Messages) {}

  savedModel(graph: Graph): Uint8Array {
    const { SavedModel, MetaGraphDef, GraphDef, VersionDef } = this.messages;
    const definition = message(GraphDef, {
      setNodeList: graph.nodes.map((node) => this.node(node)),
      setVersions: message(VersionDef, { setProducer: producerVersion }),
    });
    const metaGraph = message(MetaGraphDef, {
      setMetaInfoDef: message(MetaGraphDef.MetaInfoDef, { setTagsList: [savedModelTag] }),
      setGraphDef: definition,
    });
    const model = message(SavedModel, { setSavedModelSchemaVersion: 1, setMetaGraphsList: [metaGraph] });
    return model.serializeBinary!() as Uint8Array;
  }

  private node({ name, operation, inputs, attributes }: GraphNode): Message {
    const node = message(this.messages.NodeDef, { setName: name, setOp: operation, setInputList: inputs });
    const map = node.getAttrMap!() as Map<string, Message>;
    for (const [key, attribute] of Object.entries(attributes)) map.set(key, this.attribute(attribute));
    return node;
  }

  private attribute(attribute: Attribute): Message {
    const { AttrValue } = this.messages;
    if ('tensor' in attribute) {
      return message(AttrValue, { setTensor: this.tensor(attribute.tensor, attribute.shape) });
    }
    if ('shape' in attribute) return message(AttrValue, { setShape: this.shape(attribute.shape) });
    if ('type' in attribute) return message(AttrValue, { setType: dataTypes[attribute.type] });
    if ('integer' in attribute) return message(AttrValue, { setI: attribute.integer });
    if ('float' in attribute) return message(AttrValue, { setF: attribute.float });
    if ('flag' in attribute) return message(AttrValue, { setB: attribute.flag });
    if ('text' in attribute) return message(AttrValue, { setS: Buffer.from(attribute.text) });
    return message(AttrValue, {
      setList: message(AttrValue.ListValue, { setIList: [...attribute.integers] }),
    });
  }

  private tensor(values: ConstantValues, shape: readonly number[]): Message {
    const type =
      values instanceof Float64Array ? 'float64' : values instanceof Int32Array ? 'int32' : 'float32';
    return message(this.messages.Tensor, {
      setDtype: dataTypes[type],
      setTensorShape: this.shape(shape),
      setTensorContent: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    });
  }

  private shape(shape: readonly number[]): Message {
    const { TensorShape } = this.messages;
    return message(TensorShape, {
      setDimList: shape.map((size) => message(TensorShape.Dim, { setSize: size })),
    });
  }
}

/** A message with some fields set, by the names of the methods that set them. */
function message(type: MessageClass, fields: { readonly [setter: string]: unknown }): Message {
  const result = new type();
  for (const [setter, value] of Object.entries(fields)) result[setter]!(value);
  return result;
}
