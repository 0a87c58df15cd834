import { deserialize, serialize } from 'node:v8';
import type { Carrier, CarrierListener } from '../../src/coordinator/carrier/carrier.js';
import { decodeOrder } from '../../src/transport/carrying.js';
import type { RangeResult } from '../../src/transport/generated/fcaenet/v1/RangeResult.js';
import type { Peer } from '../../src/transport/peers/identity.js';
import { elementsOf } from '../../src/worker/exchange/elements.js';
import type { Chance } from './chance.js';
import type { SimulatedProcess } from './simulated-clock.js';
import type { IncomingCall, ListeningWorker, SimulatedPeerNetwork } from './simulated-peer-network.js';

/** A call of a coordinator to a worker. Messages arrive in order, until it is cut; each end hears of that later. */
export class SimulatedCall implements IncomingCall {
  private isOver = false;
  private readonly lastArrivalMs = new Map<SimulatedProcess, number>();

  constructor(
    private readonly connection: number,
    private readonly coordinator: SimulatedProcess,
    private readonly worker: ListeningWorker,
    private readonly listener: CarrierListener,
    private readonly chance: Chance,
    private readonly network: SimulatedPeerNetwork,
  ) {
    for (const process of [coordinator, worker.process]) process.whenEnded(() => this.cut());
    this.pass(worker.process, () => worker.called(this));
  }

  accept(): void {
    this.pass(this.coordinator, () => this.listener.opened(this.connection));
  }

  send(message: Buffer): void {
    const sent = Buffer.from(message);
    this.pass(this.worker.process, () => this.worker.takeCarried(decodeOrder(sent, false)));
  }

  answer(result: RangeResult, bytes: Uint8Array): void {
    const sent = deserialize(serialize(result));
    this.pass(this.coordinator, () =>
      this.listener.arrived(this.connection, {
        ...{ result: sent, sum: elementsOf(new Uint8Array(bytes), this.network.manners.precision) },
        ...{ messageBytes: bytes.byteLength, seconds: 0.001 },
      }),
    );
  }

  /** Nothing arrives any more. */
  cut(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.deliver(this.coordinator, () => this.listener.lost(this.connection, 'it broke', false));
    this.deliver(this.worker.process, () => this.worker.callEnded(this));
  }

  private pass(to: SimulatedProcess, action: () => void): void {
    if (!this.isOver) this.deliver(to, () => this.isOver || action());
  }

  private deliver(to: SimulatedProcess, action: () => void): void {
    const { leastMs, mostMs } = this.network.manners;
    const nowMs = this.coordinator.nowMs();
    const arrivalMs = Math.max(this.lastArrivalMs.get(to) ?? 0, nowMs + this.chance.between(leastMs, mostMs));
    this.lastArrivalMs.set(to, arrivalMs);
    to.after(arrivalMs - nowMs, action);
  }
}

/** The carrier of a simulated coordinator. */
export class SimulatedCarrier implements Pick<Carrier, 'connect' | 'disconnect' | 'send' | 'close'> {
  private readonly calls = new Map<number, SimulatedCall>();

  constructor(
    private readonly listener: CarrierListener,
    private readonly process: SimulatedProcess,
    private readonly chance: Chance,
    private readonly network: SimulatedPeerNetwork,
  ) {}

  connect(connection: number, peer: Peer): void {
    const { process, chance, network } = this;
    const worker = network.at(peer.address);
    const listener: CarrierListener = {
      ...this.listener,
      lost: (...what) => {
        // A real one's thread has forgotten a connection that was ended.
        if (this.calls.delete(connection)) this.listener.lost(...what);
      },
    };
    if (worker) {
      const call = new SimulatedCall(connection, process, worker, listener, chance, network);
      this.calls.set(connection, call);
      network.began(worker.process.name, call);
    } else {
      process.after(chance.between(1, 50), () => this.listener.lost(connection, 'nobody listens', false));
    }
  }

  disconnect(connection: number): void {
    const call = this.calls.get(connection);
    this.calls.delete(connection);
    call?.cut();
  }

  send(connection: number, messages: readonly Buffer[]): void {
    const call = this.calls.get(connection);
    for (const message of messages) {
      call?.send(message);
      this.process.after(this.chance.between(0, 1), () => {
        if (call && this.calls.get(connection) === call) this.listener.left(connection);
      });
    }
  }

  async close(): Promise<void> {
    for (const connection of [...this.calls.keys()]) this.disconnect(connection);
  }
}
