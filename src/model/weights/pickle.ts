/**
 * The part of Python's pickle language, protocol 2, that `torch.save` uses for named tensors. Nothing is ever called:
 * the few permitted functions only describe tensors, and any other name or opcode is an error.
 */

/** A range of raw elements, stored outside the pickle. */
export interface StorageReference {
  readonly kind: 'storage';
  /** PyTorch's class, such as `FloatStorage`. */
  readonly type: string;
  readonly key: string;
  /** Number of elements. */
  readonly length: number;
}

/** A tensor's view of a storage. Extents, strides and offset are counted in elements. */
export interface TensorReference {
  readonly kind: 'tensor';
  readonly storage: StorageReference;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

interface Global {
  readonly kind: 'global';
  readonly name: string;
}

export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly PickleValue[]
  | Map<PickleValue, PickleValue>
  | Global
  | StorageReference
  | TensorReference;

const storages = /^torch (Float|Half|BFloat16|Double|Long|Int|Short|Char|Byte|Bool)Storage$/;
const functions = [
  'collections OrderedDict',
  'torch._utils _rebuild_tensor_v2',
  'torch._utils _rebuild_parameter',
];
const mark = Symbol('mark');

/**
 * Interprets one pickle.
 * @param fail makes the error for a reason in words
 * @returns the value, and the position after the pickle
 */
export function readPickle(
  bytes: Buffer,
  start: number,
  fail: (reason: string) => Error,
): { value: PickleValue; end: number } {
  const machine = new Machine(bytes, start, fail);
  try {
    return machine.run();
  } catch (error) {
    if (error instanceof RangeError) throw fail('its pickle is cut short');
    throw error;
  }
}

class Machine {
  private readonly stack: (PickleValue | typeof mark)[] = [];
  private readonly memo = new Map<number, PickleValue>();

  constructor(
    private readonly bytes: Buffer,
    private position: number,
    private readonly fail: (reason: string) => Error,
  ) {}

  run(): { value: PickleValue; end: number } {
    for (;;) {
      const at = this.position;
      const opcode = this.unsigned(1);
      if (opcode === 0x2e) return { value: this.pop(), end: this.position }; // STOP
      this.step(opcode, at);
    }
  }

  private step(opcode: number, at: number): void {
    const { stack } = this;
    switch (String.fromCharCode(opcode)) {
      case '\x80': {
        const protocol = this.unsigned(1);
        if (protocol !== 2) throw this.fail(`its pickle has protocol ${protocol}, expected 2`);
        return;
      }
      case 'c':
        stack.push(this.global());
        return;
      case 'q':
        this.memo.set(this.unsigned(1), this.top());
        return;
      case 'r':
        this.memo.set(this.unsigned(4), this.top());
        return;
      case 'h':
        stack.push(this.recall(this.unsigned(1)));
        return;
      case 'j':
        stack.push(this.recall(this.unsigned(4)));
        return;
      case '(':
        stack.push(mark);
        return;
      case 'N':
        stack.push(null);
        return;
      case '\x88':
        stack.push(true);
        return;
      case '\x89':
        stack.push(false);
        return;
      case 'K':
        stack.push(this.unsigned(1));
        return;
      case 'M':
        stack.push(this.unsigned(2));
        return;
      case 'J':
        stack.push(this.bytes.readInt32LE(this.advance(4)));
        return;
      case '\x8a':
        stack.push(this.long());
        return;
      case 'G':
        stack.push(this.bytes.readDoubleBE(this.advance(8)));
        return;
      case 'X': {
        const length = this.unsigned(4);
        const begin = this.advance(length);
        stack.push(this.bytes.toString('utf8', begin, begin + length));
        return;
      }
      case ')':
      case ']':
        stack.push([]);
        return;
      case '}':
        stack.push(new Map());
        return;
      case 't':
        stack.push(this.popToMark());
        return;
      case '\x85':
      case '\x86':
      case '\x87':
        stack.push(this.popMany(opcode - 0x84));
        return;
      case 'a':
        this.append([this.pop()]);
        return;
      case 'e':
        this.append(this.popToMark());
        return;
      case 's':
        this.setItems(this.popMany(2));
        return;
      case 'u':
        this.setItems(this.popToMark());
        return;
      case 'Q':
        stack.push(this.storage(this.pop()));
        return;
      case 'R': {
        const [callee, values] = this.popMany(2);
        stack.push(this.reduce(callee!, values!));
        return;
      }
      case 'b':
        // Attributes of a state dictionary (`_metadata`) do not affect its tensors.
        this.pop();
        if (!(this.top() instanceof Map))
          throw this.fail('its pickle sets attributes of another object than a dictionary');
        return;
      default:
        throw this.fail(
          `its pickle contains the opcode 0x${opcode.toString(16).padStart(2, '0')} at byte ${at}, which is not needed for named tensors`,
        );
    }
  }

  private global(): Global {
    const name = `${this.line()} ${this.line()}`;
    if (!storages.test(name) && !functions.includes(name)) {
      throw this.fail(`its pickle names ${name.replace(' ', '.')}, expected only named tensors`);
    }
    return { kind: 'global', name };
  }

  private reduce(callee: PickleValue, values: PickleValue): PickleValue {
    const name = isKind(callee, 'global') ? callee.name : '';
    if (!Array.isArray(values)) throw this.fail('its pickle calls without a tuple');
    if (name === 'collections OrderedDict' && values.length === 0) return new Map();
    if (name === 'torch._utils _rebuild_parameter' && isKind(values[0], 'tensor')) return values[0];
    if (name === 'torch._utils _rebuild_tensor_v2') {
      const [storage, offset, shape, strides] = values;
      if (isKind(storage, 'storage') && isSize(offset) && isSizes(shape) && isSizes(strides)) {
        if (shape.length === strides.length) return { kind: 'tensor', storage, offset, shape, strides };
      }
    }
    throw this.fail(
      `its pickle calls ${name.replace(' ', '.') || 'something that is not a function'} in a way that does not make a tensor`,
    );
  }

  /** ('storage', class, key, device, elements), and in the older format a sixth value for views, always None. */
  private storage(id: PickleValue): StorageReference {
    if (Array.isArray(id) && id[0] === 'storage') {
      const [, type, key, , length, view = null] = id;
      if (
        isKind(type, 'global') &&
        storages.test(type.name) &&
        typeof key === 'string' &&
        isSize(length) &&
        view === null
      ) {
        return { kind: 'storage', type: type.name.slice('torch '.length), key, length };
      }
    }
    throw this.fail('its pickle refers to something other than the storage of a tensor');
  }

  private append(values: readonly PickleValue[]): void {
    const list = this.top();
    if (!Array.isArray(list)) throw this.fail('its pickle appends to something that is not a list');
    list.push(...values);
  }

  private setItems(items: readonly PickleValue[]): void {
    const map = this.top();
    if (!(map instanceof Map) || items.length % 2 !== 0)
      throw this.fail('its pickle sets items of something that is not a dictionary');
    for (let i = 0; i < items.length; i += 2) map.set(items[i]!, items[i + 1]!);
  }

  private top(): PickleValue {
    const value = this.stack.at(-1);
    if (value === undefined || value === mark) throw this.fail('its pickle takes from an empty stack');
    return value;
  }

  private pop(): PickleValue {
    const value = this.top();
    this.stack.pop();
    return value;
  }

  private popMany(count: number): PickleValue[] {
    return Array.from({ length: count }, () => this.pop()).reverse();
  }

  private popToMark(): PickleValue[] {
    const begin = this.stack.lastIndexOf(mark);
    if (begin < 0) throw this.fail('its pickle takes from an empty stack');
    const values = this.stack.splice(begin);
    return values.slice(1) as PickleValue[];
  }

  private recall(index: number): PickleValue {
    const value = this.memo.get(index);
    if (value === undefined) throw this.fail(`its pickle reads value ${index}, which it never stored`);
    return value;
  }

  /** Little-endian two's complement of up to 255 bytes. */
  private long(): bigint | number {
    const length = this.unsigned(1);
    const begin = this.advance(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.bytes[begin + i]!);
    const signed = BigInt.asIntN(8 * length, value);
    return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
  }

  private line(): string {
    const end = this.bytes.indexOf(0x0a, this.position);
    if (end < 0) throw new RangeError('no end of line');
    const text = this.bytes.toString('utf8', this.position, end);
    this.position = end + 1;
    return text;
  }

  private unsigned(count: 1 | 2 | 4): number {
    return this.bytes.readUIntLE(this.advance(count), count);
  }

  /** Advances by `count` bytes; returns the position before. */
  private advance(count: number): number {
    const begin = this.position;
    if (begin + count > this.bytes.length) throw new RangeError('behind the end');
    this.position += count;
    return begin;
  }
}

/** Whether a value is a description of that kind. */
export function isKind<Kind extends 'global' | 'storage' | 'tensor'>(
  value: PickleValue | undefined,
  kind: Kind,
): value is Extract<PickleValue, { readonly kind: Kind }> {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === kind;
}

function isSize(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isSizes(value: PickleValue | undefined): value is number[] {
  return Array.isArray(value) && value.every(isSize);
}
