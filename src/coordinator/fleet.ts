import { availableParallelism } from 'node:os';
import type { Log } from '../console/log.js';
import type { FcaenetError } from '../errors.js';
import type { TrainingRun } from '../run/training-run.js';
import type { Identity } from './identity.js';
import { LocalWorkers } from './local-workers.js';
import { WorkerPool } from './pool.js';
import { type Admission, CoordinatorServer, type Protection } from './server.js';

export interface FleetOptions {
  readonly admission: Admission;
  /** Worker processes to start on this machine; 0 waits for workers from elsewhere. */
  readonly localWorkers: number;
  readonly protection: Protection;
  readonly log: Log;
  readonly onIdentity: (identity: Identity, device: string) => void;
  /** Called when the local workers ended and will not be started again. */
  readonly onExhausted: (error: FcaenetError) => void;
}

/** The workers of one coordinator: the port they dial, the pool they are in, and those that run on this machine. */
export class Fleet {
  readonly pool = new WorkerPool();
  readonly server: CoordinatorServer;
  private local: LocalWorkers | null = null;
  private mostAdmitted = 0;

  constructor(private readonly options: FleetOptions) {
    const { admission, protection, log, onIdentity } = options;
    this.server = new CoordinatorServer(admission, this.pool, log, onIdentity, protection);
    this.pool.on('ready', () => {
      this.mostAdmitted = Math.max(this.mostAdmitted, this.pool.admitted().length);
    });
    this.pool.on('gone', (member, { reason }) => log.warn('worker left', { worker: member.label, reason }));
  }

  /** The most workers that were there at one time. */
  get size(): number {
    return this.mostAdmitted;
  }

  /** Opens the port and starts the local workers. Throws what `CoordinatorServer.listen` throws. */
  async open(): Promise<void> {
    const { admission, localWorkers, protection, log, onExhausted } = this.options;
    const { dataset, operation } = admission.run.spec;
    const address = await this.server.listen(operation.listen);
    log.info('waiting for workers', { address, localWorkers });
    if (localWorkers > 0) {
      const { cache } = operation;
      this.local = new LocalWorkers({
        count: localWorkers,
        address: dialledHere(address),
        tls: operation.tls,
        joinToken: protection.joinToken,
        dataset: dataset.path,
        cache,
        log,
        onExhausted,
      });
    }
  }

  /** Sends one worker home, by its slot or name; others take what it holds. False where there is none. */
  drain(worker: string): boolean {
    const member = this.pool.all().find(({ slot, name }) => name === worker || String(slot) === worker);
    if (member === undefined) return false;
    const { term } = this.options.admission;
    void member.outbox.send({ term, finish: { reason: 'it was drained' } }).then(() => member.stream.end());
    return true;
  }

  /** Sends every worker home, or to wait for the run to go on, and waits for the local ones to end. */
  async close(reason: string, resumable: boolean): Promise<void> {
    this.pool.removeAllListeners('gone');
    await this.server.close(reason, resumable);
    await this.local?.stop();
  }
}

/** The address by which processes of this machine reach a coordinator that listens on all of its addresses. */
function dialledHere(address: string): string {
  return address.replace(/^0\.0\.0\.0:/, '127.0.0.1:').replace(/^\[::\]:/, '[::1]:');
}

/** How many workers `train` starts: as the run file says, or one per core, as more than microbatches are no use. */
export function localWorkerCount(run: TrainingRun): number {
  const { workers } = run.spec.operation;
  return workers === 'auto' ? Math.min(availableParallelism(), run.spec.schedule.microbatches) : workers;
}
