import { randomBytes } from 'node:crypto';
import { closeSync } from 'node:fs';
import type { Log } from '../../console/log.js';
import type { Traffic } from '../../transport/service.js';
import { memoryFiles, openSharedMemory, SharedReader, SharedWriter } from '../../transport/shared-memory.js';

const keyBytes = 16;

/** What the coordinator shares with one worker process that it started on its own machine. */
export interface SharedMemory {
  /** The run's weights, one memory for all such workers. */
  readonly weights: SharedWriter;
  /** What the worker has computed, a memory of its own. */
  readonly results: SharedReader;
  /** The leadership term, for what is said of the memory. */
  readonly term: number;
  /** Transfers through memory count as sent and received like any other. */
  readonly traffic: Traffic;
}

/** What a worker process is started with. */
export interface MemoryAllocation {
  /** Names its memory; drawn at random, and known to nobody else. */
  readonly key: Buffer;
  /** Of the weights' memory, which it reads, and of its results', which it writes. */
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
 * Memory that a coordinator shares with the workers it starts, so that weights and gradients need not go through
 * sockets. Nobody names a path: the processes inherit descriptors of files that have no name.
 */
export class LocalWorkerMemory {
  private readonly entries = new Map<string, Entry>();

  private constructor(
    private readonly weightsDescriptor: number,
    private readonly weights: SharedWriter,
    private readonly term: number,
    private readonly traffic: Traffic,
  ) {}

  /** @returns null where the machine has no such memory, which the log says */
  static open(term: number, traffic: Traffic, log: Log): LocalWorkerMemory | null {
    const goElsewhere = (why: string) => () =>
      log.warn(`${why}; tensors go over gRPC`, { directory: memoryFiles });
    const descriptor = openSharedMemory();
    if (descriptor === null) {
      goElsewhere('no memory can be shared with local workers')();
      return null;
    }
    const weights = new SharedWriter(
      descriptor,
      goElsewhere('there is no room for weights in shared memory'),
    );
    return new LocalWorkerMemory(descriptor, weights, term, traffic);
  }

  /** Memory for a process that is about to be started; null where there is no more. */
  allocate(): MemoryAllocation | null {
    const descriptor = openSharedMemory();
    if (descriptor === null) return null;
    const key = randomBytes(keyBytes);
    const { weights, term, traffic } = this;
    const sharedMemory = { weights, results: new SharedReader(descriptor), term, traffic };
    this.entries.set(key.toString('hex'), { key, sharedMemory, members: 0, hasEnded: false });
    return { key, descriptors: [this.weightsDescriptor, descriptor] };
  }

  /** What is shared with the worker that names this key; null for any other. To be followed by `detach`. */
  attach(key: Buffer): SharedMemory | null {
    const entry = this.entries.get(key.toString('hex'));
    if (!entry || entry.hasEnded) return null;
    entry.members++;
    return entry.sharedMemory;
  }

  /** A member is gone, and with it what it held. */
  detach(sharedMemory: SharedMemory, member: object): void {
    sharedMemory.weights.drop(member);
    const entry = [...this.entries.values()].find((each) => each.sharedMemory === sharedMemory);
    if (!entry) return;
    entry.members--;
    this.forget(entry);
  }

  /** The process has ended; what it had sent may still be on its way. */
  processEnded({ key }: MemoryAllocation): void {
    const entry = this.entries.get(key.toString('hex'));
    if (!entry) return;
    entry.hasEnded = true;
    this.forget(entry);
  }

  /** Gives all of it back, once no process is left. */
  close(): void {
    for (const { sharedMemory } of this.entries.values()) sharedMemory.results.close();
    this.entries.clear();
    closeSync(this.weightsDescriptor);
  }

  private forget({ key, sharedMemory, members, hasEnded }: Entry): void {
    if (!hasEnded || members > 0) return;
    this.entries.delete(key.toString('hex'));
    sharedMemory.results.close();
  }
}
