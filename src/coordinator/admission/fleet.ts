import { systemClock } from '../../clock.js';
import type { Log } from '../../console/log.js';
import type { FcaenetError } from '../../errors.js';
import type { Identity } from '../../identity/identity.js';
import { momentPasses } from '../../methods/passes.js';
import { describeRunModel } from '../../model/layout.js';
import type { WorkerPlace } from '../../processes/plan.js';
import { parseAddress } from '../../run/address.js';
import type { Finish } from '../../transport/generated/fcaenet/v1/Finish.js';
import { joinTokenVariable } from '../../transport/join-token.js';
import { coordinatorNumber } from '../../transport/peers/identity.js';
import type { Traffic } from '../../transport/service.js';
import { totalTraffic } from '../dispatch/data-path.js';
import { LocalWorkerMemory } from '../dispatch/local-worker-memory.js';
import { type Waiting, WorkerPool } from '../dispatch/pool.js';
import { exchangedBlocks } from '../exchange/exchanged-vector.js';
import { RangeConnections } from '../exchange/range-connections.js';
import type { Admission } from './hello.js';
import { LocalWorkers } from './local-workers.js';
import type { Protection } from './protection.js';
import { CoordinatorServer } from './server.js';
import { UnusableData } from './unusable-data.js';

export interface FleetOptions {
  readonly admission: Admission;
  /** Worker processes to start on this machine; none waits for remote workers. */
  readonly localWorkers: readonly WorkerPlace[];
  /** Whether the local workers are one worker of the run, which exchanges gradients with those of other machines. */
  readonly localAsOne?: boolean;
  readonly protection: Protection;
  /** Work is only handed out to at least this many workers. */
  readonly minWorkers: number;
  readonly log: Log;
  readonly onIdentity: (identity: Identity, device: string) => void;
  /**
   * Called when no worker is left and none will come: the local workers ended, or all workers failed because of their
   * data.
   */
  readonly onExhausted: (error: FcaenetError) => void;
  /** Called when the last local worker has left as it was told to. By default it is said how others can join. */
  readonly onLeft?: () => void;
}

/** The workers of one coordinator: its port, the pool, and the worker processes on this machine. */
export class Fleet {
  readonly pool: WorkerPool;
  readonly server: CoordinatorServer;
  /** Carry ranges where workers exchange gradients. */
  readonly connections: RangeConnections;
  private readonly uselessData: UnusableData;
  private local: LocalWorkers | null = null;
  private localMemory: LocalWorkerMemory | null = null;
  /** Why no local worker is left and none will be restarted; null while there may be one. */
  private exhausted: FcaenetError | null = null;
  private mostAdmitted = 0;
  private isClosing = false;

  constructor(private readonly options: FleetOptions) {
    const { admission, protection, log, onIdentity } = options;
    this.pool = new WorkerPool(options.minWorkers);
    this.server = new CoordinatorServer({ admission, pool: this.pool, log, onIdentity, protection });
    const { run, term } = admission;
    const { wire } = run.spec;
    const layout = describeRunModel(run.spec);
    const blocks = exchangedBlocks(layout, momentPasses(run.spec), wire.precision);
    this.connections = new RangeConnections({
      carrier: {
        identity: {
          ...{ run: run.metadata.name, term, member: coordinatorNumber, key: Buffer.alloc(0) },
          tls: protection.tls,
        },
        precision: wire.precision,
        vectorLength: blocks.at(-1)!,
      },
      pool: this.pool,
      clock: systemClock,
      traffic: this.server.traffic.star,
    });
    this.pool.on('ready', () => {
      this.mostAdmitted = Math.max(this.mostAdmitted, this.pool.admitted().length);
    });
    this.pool.on('gathering', (waiting) => {
      if (this.isClosing) return;
      if (waiting && waiting.needed > 1) log.info(describeWaiting(waiting), { needed: waiting.needed });
    });
    this.pool.on('setAside', (member, fault, reason) =>
      log.warn('worker set aside', { worker: member.label, fault, reason }),
    );
    this.pool.on('gone', (member, { reason }) => {
      log.warn('worker left', { worker: member.label, reason });
      this.judgeExhausted();
    });
    const { silenceSeconds } = admission.run.spec.operation.membership;
    this.uselessData = new UnusableData(this.pool, {
      waitSeconds: silenceSeconds,
      log,
      onUnusable: options.onExhausted,
    });
  }

  /** Bytes of messages, and of tensors through shared memory, so far. */
  get traffic(): Traffic {
    return totalTraffic(this.server.traffic);
  }

  /** The largest number of workers at one time. */
  get size(): number {
    return this.mostAdmitted;
  }

  /** Opens the port and starts the local workers. Throws the errors of `CoordinatorServer.listen`. */
  async open(): Promise<void> {
    const { admission, localWorkers, localAsOne, protection, log } = this.options;
    const { dataset, operation } = admission.run.spec;
    const address = await this.server.listen(operation.listen);
    log.info('waiting for workers', { address, localWorkers: localWorkers.length });
    if (localWorkers.length > 0) {
      const { cache } = operation;
      this.localMemory = LocalWorkerMemory.open(admission.term, this.server.traffic.shared_memory, log);
      this.server.shareMemory(this.localMemory);
      this.local = new LocalWorkers({
        places: localWorkers,
        peerHost: localAsOne ? parseAddress(operation.listen)!.host : null,
        address: dialledHere(address),
        tls: operation.tls,
        joinToken: protection.joinToken,
        dataset: dataset.path,
        cache,
        sharedMemory: this.localMemory,
        log,
        onExhausted: (error) => {
          this.exhausted = error;
          this.judgeExhausted();
        },
        onLeft: this.options.onLeft ?? (() => this.sayLeft(address)),
      });
    }
  }

  /** Tells every worker that the run is over or paused, and waits for the local workers to end. */
  async close(finish: Finish): Promise<void> {
    this.isClosing = true;
    this.pool.removeAllListeners('gone');
    this.uselessData.stop();
    this.local?.expectEnd();
    await this.connections.close();
    await this.server.close(finish);
    await this.local?.stop();
    this.localMemory?.close();
  }

  /** The last local worker was drained. */
  private sayLeft(address: string): void {
    if (this.pool.all().length > 0) return;
    this.options.log.warn('no worker is left; the run waits until one joins', {
      remedy: `Ctrl-C and then --resume start this machine's workers again; others join with npx fcaenet worker --connect ${address} --data DIR and the run's join token (${joinTokenVariable})`,
    });
  }

  /** Remote workers continue without the local ones. */
  private judgeExhausted(): void {
    if (this.exhausted !== null && this.pool.all().length === 0) this.options.onExhausted(this.exhausted);
  }
}

/** The address by which local processes reach a coordinator that listens on all addresses. */
function dialledHere(address: string): string {
  return address.replace(/^0\.0\.0\.0:/, '127.0.0.1:').replace(/^\[::\]:/, '[::1]:');
}

/** Describes the waiting state. */
export function describeWaiting({ present, needed, since }: Waiting): string {
  return `${present} of ${needed} ${needed === 1 ? 'worker' : 'workers'}; waiting since ${since.toISOString()}`;
}
