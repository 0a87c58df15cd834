import { randomUUID } from 'node:crypto';
import { closeSync, constants, ftruncateSync, openSync, readSync, unlinkSync, writevSync } from 'node:fs';
import { byteLengthOf } from './bytes.js';
import { TransportError } from './error.js';

/** Environment variable by which a coordinator tells a worker that it starts the key of the memory they share. */
export const memoryKeyVariable = 'FCAENET_MEMORY_KEY';
/** Where Linux keeps files in memory. */
export const memoryFiles = '/dev/shm';
/** Regions begin after the first page, so that an offset of 0 can mean none. */
const firstOffset = 4096;
/** Regions are cut in such steps: transfers of one kind differ by a few rows. */
const stepBytes = 1 << 20;
/** Which transfer lies in a region is written before it and after it. */
const stampBytes = 8;
/** One is read while another is written; a reader that lags holds a third, one that is stopped a fourth. */
const mostRegions = 4;
/** What is smaller goes in a chunk as quickly. */
export const leastSharedBytes = 1 << 16;

/**
 * Memory that processes of one machine share, as a file without a name: only who inherits the descriptor can reach it,
 * and it is gone with the last process that holds it, however that ends.
 * @returns its descriptor, or null where the machine has no such memory
 */
export function openSharedMemory(directory = memoryFiles): number | null {
  const file = `${directory}/fcaenet-${randomUUID()}`;
  try {
    const descriptor = openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
    unlinkSync(file);
    return descriptor;
  } catch {
    return null;
  }
}

interface Region {
  readonly offset: number;
  readonly capacity: number;
  transfer: number;
  /** Who has been told of the transfer and has not taken it yet. */
  readonly holders: Set<object>;
}

/** The writing end: one process writes into the memory, others are told where and say when they have taken it. */
export class SharedWriter {
  private readonly regions: Region[] = [];
  /** Set once the memory took no more; what it has taken is used on. */
  private isFull = false;

  /** @param onFull called once when the memory takes no more */
  constructor(
    private readonly descriptor: number,
    private readonly onFull: () => void = () => {},
  ) {}

  /**
   * Writes a transfer, unless it is there already, and keeps it until `holder` has taken it.
   * @param parts sent as one contiguous transfer
   * @returns where it begins, in bytes; null where there is no room for it
   */
  put(transfer: number, parts: readonly Uint8Array[], holder: object): number | null {
    const region = this.regions.find((each) => each.transfer === transfer) ?? this.write(transfer, parts);
    region?.holders.add(holder);
    return region?.offset ?? null;
  }

  /** The holder has taken the transfer, so that its memory may be used again. */
  taken(transfer: number, holder: object): void {
    this.regions.find((each) => each.transfer === transfer)?.holders.delete(holder);
  }

  /** The holder will take nothing any more. */
  drop(holder: object): void {
    for (const { holders } of this.regions) holders.delete(holder);
  }

  private write(transfer: number, parts: readonly Uint8Array[]): Region | null {
    const bytes = byteLengthOf(parts);
    const region = this.free(bytes + 2 * stampBytes);
    if (!region) return null;
    const stamp = stampOf(transfer);
    // Until all is written it is nobody's.
    region.transfer = -1;
    try {
      const written = writevSync(this.descriptor, [stamp, ...parts, stamp], region.offset);
      if (written !== bytes + 2 * stampBytes) throw new Error('written in part');
    } catch {
      if (!this.isFull) this.onFull();
      this.isFull = true;
      // What a new region got is given back.
      if (region === this.regions.at(-1)) {
        this.regions.pop();
        ftruncateSync(this.descriptor, region.offset);
      }
      return null;
    }
    region.transfer = transfer;
    return region;
  }

  private free(needed: number): Region | undefined {
    const idle = this.regions.find(({ holders, capacity }) => holders.size === 0 && capacity >= needed);
    if (idle || this.isFull || this.regions.length === mostRegions) return idle;
    const last = this.regions.at(-1);
    const capacity = Math.ceil(needed / stepBytes) * stepBytes;
    const region = {
      offset: last ? last.offset + last.capacity : firstOffset,
      capacity,
      transfer: -1,
      holders: new Set<object>(),
    };
    this.regions.push(region);
    return region;
  }
}

/** The reading end. */
export class SharedReader {
  constructor(private readonly descriptor: number) {}

  /**
   * Copies a transfer out of the memory.
   * @param bytes filled from its first to its last
   * @throws TransportError TRANSPORT_BAD_MESSAGE when it is not, or no longer, there
   */
  read(transfer: number, offset: number, bytes: Uint8Array): void {
    const stamps = Buffer.alloc(2 * stampBytes);
    const end = offset + stampBytes + bytes.byteLength;
    const whole =
      this.fill(stamps.subarray(0, stampBytes), offset) &&
      this.fill(bytes, offset + stampBytes) &&
      this.fill(stamps.subarray(stampBytes), end);
    if (!whole || !stamps.equals(Buffer.concat([stampOf(transfer), stampOf(transfer)]))) {
      throw new TransportError(
        'TRANSPORT_BAD_MESSAGE',
        `transfer ${transfer} is said to be ${bytes.byteLength} bytes at byte ${offset} of the shared memory, but is not there`,
      );
    }
  }

  /** Returns the memory's descriptor to the system; nothing is read any more. */
  close(): void {
    closeSync(this.descriptor);
  }

  /** @returns false where the memory ends before */
  private fill(bytes: Uint8Array, offset: number): boolean {
    for (let done = 0; done < bytes.byteLength; ) {
      const read = readSync(this.descriptor, bytes, done, bytes.byteLength - done, offset + done);
      if (read === 0) return false;
      done += read;
    }
    return true;
  }
}

function stampOf(transfer: number): Buffer {
  const stamp = Buffer.alloc(stampBytes);
  stamp.writeBigUInt64LE(BigInt(transfer));
  return stamp;
}
