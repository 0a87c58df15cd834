import type { WirePrecision } from '../../src/run/training-run.js';
import type { CoordinatorMessage__Output } from '../../src/transport/generated/fcaenet/v1/CoordinatorMessage.js';
import type { PeerMessage__Output } from '../../src/transport/generated/fcaenet/v1/PeerMessage.js';
import type { RangeResult } from '../../src/transport/generated/fcaenet/v1/RangeResult.js';
import type { SimulatedProcess } from './simulated-clock.js';

/** A call of a coordinator, as the called worker sees it. */
export interface IncomingCall {
  accept(): void;
  answer(result: RangeResult, bytes: Uint8Array): void;
  /** Nothing arrives any more. */
  cut(): void;
}

/** A worker as others reach it. */
export interface ListeningWorker {
  readonly process: SimulatedProcess;
  /** Takes what a peer has sent. */
  receive(sender: number, way: string, message: PeerMessage__Output): void;
  /** A call has come. */
  called(call: IncomingCall): void;
  takeCarried(message: CoordinatorMessage__Output): void;
  /** A call is over. */
  callEnded(call: IncomingCall): void;
}

/** The connections between workers of a simulation. */
export class SimulatedPeerNetwork {
  private readonly listening = new Map<string, ListeningWorker>();
  private readonly cuts = new Set<string>();
  /** By the name of the process that is called. */
  private readonly calls = new Map<string, IncomingCall[]>();

  /** @param manners milliseconds that a message takes, drawn between these for each */
  constructor(
    readonly manners: {
      readonly leastMs: number;
      readonly mostMs: number;
      readonly precision: WirePrecision;
    },
  ) {}

  /** @param peer null ends it */
  listen(address: string, peer: ListeningWorker | null): void {
    if (peer) this.listening.set(address, peer);
    else this.listening.delete(address);
  }

  /** The side of the worker that listens at an address; undefined when none does. */
  at(address: string): ListeningWorker | undefined {
    return this.listening.get(address);
  }

  /** Nothing passes from one process to another any more. @returns ends it */
  cut(from: string, to: string): () => void {
    const pair = `${from} ${to}`;
    this.cuts.add(pair);
    return () => this.cuts.delete(pair);
  }

  /** A coordinator has called a worker. */
  began(process: string, call: IncomingCall): void {
    this.calls.set(process, [...(this.calls.get(process) ?? []), call]);
  }

  /** Breaks the calls to a process. */
  cutCalls(process: string): void {
    for (const call of this.calls.get(process) ?? []) call.cut();
    this.calls.delete(process);
  }

  isCut(from: string, to: string): boolean {
    return this.cuts.has(`${from} ${to}`);
  }
}
