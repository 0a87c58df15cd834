import type { BackendValues, DataId, DataType, Tensor, TensorInfo } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { EngineError } from '../error.js';
import { Graph, type Value } from './graph.js';
import { reshape } from './operations.js';

/** What is known of a tensor's data: where it comes from in the graph, or values that become a constant when used. */
interface Entry {
  source: Value | Float32Array;
  refCount: number;
}

/**
 * TF.js backend that computes nothing: each kernel adds nodes to a graph, and a tensor's data is the value of such a
 * node.
 */
export class GraphBackend extends tf.KernelBackend {
  graph = new Graph();
  private entries = new Map<DataId, Entry>();

  /** Forgets all tensors and begins another graph. */
  begin(graph: Graph): void {
    this.graph = graph;
    this.entries = new Map();
  }

  /** The graph's value behind a tensor, in the tensor's shape. */
  value({ dataId, shape }: TensorInfo): Value {
    const entry = this.entries.get(dataId)!;
    if (entry.source instanceof Float32Array) entry.source = this.graph.constant(entry.source, shape);
    const { source } = entry;
    const same = source.shape.length === shape.length && source.shape.every((size, i) => size === shape[i]);
    return same ? source : reshape(source, shape);
  }

  /** A float32 value of the graph as what a kernel returns. */
  info(source: Value): TensorInfo {
    const dataId: DataId = {};
    this.entries.set(dataId, { source, refCount: 1 });
    return { dataId, shape: [...source.shape], dtype: 'float32' };
  }

  /** A float32 value of the graph as a tensor. */
  tensor(value: Value): Tensor {
    return tf.engine().makeTensorFromTensorInfo(this.info(value), this);
  }

  /** Makes a tensor stand for a value of the graph instead of the values that it was made with. */
  bind({ dataId }: TensorInfo, source: Value): void {
    this.entries.get(dataId)!.source = source;
  }

  override write(values: BackendValues, _shape: number[], dtype: DataType): DataId {
    const dataId: DataId = {};
    this.move(dataId, values, _shape, dtype, 1);
    return dataId;
  }

  override move(
    dataId: DataId,
    values: BackendValues,
    _shape: number[],
    dtype: DataType,
    refCount: number,
  ): void {
    if (dtype !== 'float32') throw notTraced(`values of type ${dtype}`);
    this.entries.set(dataId, {
      source: values instanceof Float32Array ? values : Float32Array.from(values as Int32Array),
      refCount,
    });
  }

  override read(): Promise<BackendValues> {
    return Promise.reject(notTraced('reading a value'));
  }

  override readSync(): BackendValues {
    throw notTraced('reading a value');
  }

  override refCount(dataId: DataId): number {
    return this.entries.get(dataId)?.refCount ?? 0;
  }

  override incRef(dataId: DataId): void {
    this.entries.get(dataId)!.refCount++;
  }

  override disposeData(dataId: DataId, force = false): boolean {
    const entry = this.entries.get(dataId);
    if (entry && --entry.refCount > 0 && !force) return false;
    this.entries.delete(dataId);
    return true;
  }

  override numDataIds(): number {
    return this.entries.size;
  }

  override floatPrecision(): 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  override memory(): { unreliable: boolean } {
    return { unreliable: true };
  }

  override dispose(): void {
    this.entries.clear();
  }
}

/** Model code did something that no graph can hold. */
function notTraced(what: string): EngineError {
  return new EngineError('ENGINE_GRAPH', `a TensorFlow graph cannot hold ${what}`);
}
