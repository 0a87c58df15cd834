import { randomUUID } from 'node:crypto';
import { closeSync, constants, ftruncateSync, openSync, readSync, unlinkSync, writevSync } from 'node:fs';
import { byteLengthOf } from './bytes.js';
import { TransportError } from './error.js';

/** Environment variable with the key of the shared memory. A coordinator sets it for the workers that it starts. */
export const memoryKeyVariable = 'FCAENET_MEMORY_KEY';
/** Folder where Linux keeps files in memory. */
export const memoryFiles = '/dev/shm';
/** Regions begin after the first page, so that offset 0 can mean "not in shared memory". */
const firstOffset = 4096;
/** The smallest region. Larger ones are so many times two: transfers of one kind differ by a few rows. */
const leastRegionBytes = 1 << 20;
/** The transfer's number is written before and after its region's bytes. */
const stampBytes = 8;
/**
 * Regions large enough for a transfer: one is read while another is written. A slow reader holds a third, and a stopped
 * reader a fourth.
 */
const mostRegions = 4;
/** Below this size, a chunk is as fast. */
export const leastSharedBytes = 1 << 16;

/**
 * Opens memory that processes of one machine share. It is a file without a name: only processes that inherit the
 * descriptor can read it, and the system frees it when the last of them ends.
 * @returns its descriptor, or null when the machine has no such memory
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
  /** Workers that were told of the transfer and have not read it yet. */
  readonly holders: Set<object>;
}

/**
 * The writing side. One process writes into the memory. The others learn the offset and report when they have read it.
 */
export class SharedWriter {
  private readonly regions: Region[] = [];
  /** Set when the memory could not grow. Existing regions stay in use. */
  private isFull = false;

  /** @param onFull called once, when the memory cannot grow */
  constructor(
    private readonly descriptor: number,
    private readonly onFull: () => void = () => {},
  ) {}

  /**
   * Writes a transfer, unless it is already there, and keeps it until `holder` has read it.
   * @param parts sent as one contiguous transfer
   * @returns its offset in bytes; null when there is no space for it
   */
  put(transfer: number, parts: readonly Uint8Array[], holder: object): number | null {
    const region = this.regions.find((each) => each.transfer === transfer) ?? this.write(transfer, parts);
    region?.holders.add(holder);
    return region?.offset ?? null;
  }

  /** Releases the transfer for one holder, which has read it. */
  taken(transfer: number, holder: object): void {
    this.regions.find((each) => each.transfer === transfer)?.holders.delete(holder);
  }

  /** Releases every transfer of a holder that reads no more. */
  drop(holder: object): void {
    for (const { holders } of this.regions) holders.delete(holder);
  }

  private write(transfer: number, parts: readonly Uint8Array[]): Region | null {
    const bytes = byteLengthOf(parts);
    const region = this.free(bytes + 2 * stampBytes);
    if (!region) return null;
    const stamp = stampOf(transfer);
    // A region that is written in part belongs to no transfer.
    region.transfer = -1;
    try {
      const written = writevSync(this.descriptor, [stamp, ...parts, stamp], region.offset);
      if (written !== bytes + 2 * stampBytes) throw new Error('written in part');
    } catch {
      if (!this.isFull) this.onFull();
      this.isFull = true;
      // Release the memory that a new region took.
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
    const fitting = this.regions.filter(({ capacity }) => capacity >= needed);
    const idle = fitting.find(({ holders }) => holders.size === 0);
    if (idle || this.isFull || fitting.length === mostRegions) return idle;
    const last = this.regions.at(-1);
    // What is not written of a region takes no memory.
    const capacity = 2 ** Math.ceil(Math.log2(Math.max(needed, leastRegionBytes)));
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

/** The reading side. */
export class SharedReader {
  constructor(private readonly descriptor: number) {}

  /**
   * Copies a transfer out of the memory.
   * @param bytes filled completely
   * @throws TransportError TRANSPORT_BAD_MESSAGE when the transfer is not there, or no longer there
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
        `transfer ${transfer} of ${bytes.byteLength} bytes is not at byte ${offset} of the shared memory, where it was announced`,
      );
    }
  }

  /** Closes the descriptor. Nothing can be read after that. */
  close(): void {
    closeSync(this.descriptor);
  }

  /** @returns false when the memory is shorter */
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
