import { randomBytes } from 'node:crypto';
import { closeSync } from 'node:fs';
import type { Log } from '../../console/log.js';
import type { Traffic } from '../../transport/service.js';
import { memoryFiles, openSharedMemory, SharedReader, SharedWriter } from '../../transport/shared-memory.js';

const keyBytes = 16;

/** Memory that the coordinator shares with one local worker process. */
export interface SharedMemory {
  /** The run's weights, one memory for all local workers. */
  readonly weights: SharedWriter;
  /** The worker's results, a memory of its own. */
  readonly results: SharedReader;
  /** The leadership term, for messages about the memory. */
  readonly term: number;
  /** Counts the transfers through memory. */
  readonly traffic: Traffic;
}

/** The memory parameters of a new worker process. */
export interface MemoryAllocation {
  /** Identifies its memory. Random and secret. */
  readonly key: Buffer;
  /** Descriptors of the weights' memory, which it reads, and of its results' memory, which it writes. */
  readonly descriptors: readonly [weights: number, results: number];
}

interface Entry {
  readonly key: Buffer;
  readonly sharedMemory: SharedMemory;
  /** Streams on which its process is a member. */
  members: number;
  hasEnded: boolean;
}

/**
 * Memory that a coordinator shares with its local workers, so that weights and gradients do not go through sockets.
 * There are no paths: the processes inherit descriptors of files without names.
 */
export class LocalWorkerMemory {
  private readonly entries = new Map<string, Entry>();

  private constructor(
    private readonly weightsDescriptor: number,
    private readonly weights: SharedWriter,
    private readonly term: number,
    private readonly traffic: Traffic,
  ) {}

  /** @returns null when the machine has no such memory; this is logged */
  static open(term: number, traffic: Traffic, log: Log): LocalWorkerMemory | null {
    const useSockets = (why: string) => () =>
      log.warn(`${why}; sending tensors over gRPC`, { directory: memoryFiles });
    const descriptor = openSharedMemory();
    if (descriptor === null) {
      useSockets('no memory can be shared with local workers')();
      return null;
    }
    const weights = new SharedWriter(descriptor, useSockets('no space for weights in shared memory'));
    return new LocalWorkerMemory(descriptor, weights, term, traffic);
  }

  /** Memory for a process that is about to be started; null when no more is available. */
  allocate(): MemoryAllocation | null {
    const descriptor = openSharedMemory();
    if (descriptor === null) return null;
    const key = randomBytes(keyBytes);
    const { weights, term, traffic } = this;
    const sharedMemory = { weights, results: new SharedReader(descriptor), term, traffic };
    this.entries.set(key.toString('hex'), { key, sharedMemory, members: 0, hasEnded: false });
    return { key, descriptors: [this.weightsDescriptor, descriptor] };
  }

  /** The memory of the worker that sends this key; null for any other key. Call `detach` afterwards. */
  attach(key: Buffer): SharedMemory | null {
    const entry = this.entries.get(key.toString('hex'));
    if (!entry || entry.hasEnded) return null;
    entry.members++;
    return entry.sharedMemory;
  }

  /** Releases what a member held when it is gone. */
  detach(sharedMemory: SharedMemory, member: object): void {
    sharedMemory.weights.drop(member);
    const entry = [...this.entries.values()].find((each) => each.sharedMemory === sharedMemory);
    if (!entry) return;
    entry.members--;
    this.release(entry);
  }

  /** The process has ended. Its last messages may still be on their way. */
  processEnded({ key }: MemoryAllocation): void {
    const entry = this.entries.get(key.toString('hex'));
    if (!entry) return;
    entry.hasEnded = true;
    this.release(entry);
  }

  /** Releases everything. Call it when no process is left. */
  close(): void {
    for (const { sharedMemory } of this.entries.values()) sharedMemory.results.close();
    this.entries.clear();
    closeSync(this.weightsDescriptor);
  }

  private release({ key, sharedMemory, members, hasEnded }: Entry): void {
    if (!hasEnded || members > 0) return;
    this.entries.delete(key.toString('hex'));
    sharedMemory.results.close();
  }
}
