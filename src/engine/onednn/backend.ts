import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import type { DataId, DataType, TensorInfo } from '@tensorflow/tfjs-core';
import type { BackendValues } from '@tensorflow/tfjs-core/dist/types.js';
import type { Addon } from './addon.js';
import { BufferPool } from './buffer-pool.js';

/** Unused arrays kept for later steps: enough for a ResNet-50 step on 4 images of 224 pixels. */
const poolLimitBytes = 1024 ** 3;

/** The backend's record of one buffer. Several tensors may share it. */
interface Entry {
  values?: BackendValues;
  dtype: DataType;
  refCount: number;
  /** The array is the pool's and only native kernels have used it, so it may be reused. */
  recyclable?: boolean;
}

/** Result of a native kernel before the computation: the tensor, and the array for its values. */
export interface Output {
  readonly info: TensorInfo;
  readonly values: Float32Array;
}

/**
 * TF.js backend whose tensors are plain Float32Arrays, like those of the `cpu` backend that it extends, so that the
 * `cpu` kernels work on them. The arrays are aligned to cache lines and come from a pool that reuses the arrays of
 * disposed tensors.
 */
export class OnednnBackend extends MathBackendCPU {
  private readonly pool: BufferPool;

  constructor(readonly addon: Addon) {
    super();
    this.pool = new BufferPool((length) => addon.alignedFloats(length), poolLimitBytes);
  }

  /** Bytes of unused arrays in the pool. */
  get pooledBytes(): number {
    return this.pool.waitingBytes;
  }

  /** A float32 tensor of `shape`, whose values the caller fills. */
  output(shape: number[]): Output {
    let size = 1;
    for (const length of shape) {
      size *= length;
    }
    const values = this.pool.take(size);
    const dataId: DataId = {};
    const entry: Entry = { values, dtype: 'float32', refCount: 1, recyclable: true };
    this.data.set(dataId, entry);
    return { info: { dataId, shape, dtype: 'float32' }, values };
  }

  /** The values of a float32 tensor. Read them before the kernel returns. */
  floats(tensor: TensorInfo): Float32Array {
    const entry = this.data.get(tensor.dataId) as Entry;
    if (!(entry.values instanceof Float32Array)) {
      entry.values = Float32Array.from(entry.values as ArrayLike<number>);
    }
    return entry.values;
  }

  /** Another tensor over the same values. */
  alias(tensor: TensorInfo, shape: number[]): TensorInfo {
    this.incRef(tensor.dataId);
    return { dataId: tensor.dataId, shape, dtype: tensor.dtype };
  }

  /**
   * Permanently keeps the array of `tensor` out of the pool, because code that may keep a reference to it is about to
   * use it.
   */
  expose(tensor: TensorInfo): void {
    (this.data.get(tensor.dataId) as Entry).recyclable = false;
  }

  override write(values: BackendValues, _shape: number[], dtype: DataType): DataId {
    const dataId: DataId = {};
    const entry: Entry = { values, dtype, refCount: 1 };
    this.data.set(dataId, entry);
    return dataId;
  }

  override readSync(dataId: DataId): BackendValues {
    (this.data.get(dataId) as Entry).recyclable = false;
    return super.readSync(dataId);
  }

  override disposeData(dataId: DataId, force = false): boolean {
    const entry = this.data.has(dataId) ? (this.data.get(dataId) as Entry) : undefined;
    const released = super.disposeData(dataId, force);
    if (released && entry?.recyclable) {
      entry.recyclable = false;
      this.pool.give(entry.values as Float32Array);
    }
    return released;
  }
}
