import { systemClock } from '../../src/clock.js';
import { CoordinatorServer } from '../../src/coordinator/admission/server.js';
import { runGradientStep } from '../../src/coordinator/dispatch/gradient-step.js';
import type { GradientStep } from '../../src/coordinator/dispatch/gradient-work.js';
import { OutgoingWeights } from '../../src/coordinator/dispatch/outgoing-weights.js';
import { WorkerPool } from '../../src/coordinator/dispatch/pool.js';
import type { WorkEvent } from '../../src/coordinator/dispatch/work-event.js';
import type { WorkSurroundings } from '../../src/coordinator/dispatch/work-surroundings.js';
import type { CoordinatorError } from '../../src/coordinator/error.js';
import { readTrainingRun } from '../../src/run/read.js';
import { admissionOf } from './admission.js';
import { describedStep, ScriptedWorker } from './scripted-worker.js';
import { TcpProxy } from './tcp-proxy.js';

const log = { info: () => {}, warn: () => {}, error: () => {} };

/** A coordinator's real server and pool, and workers that say what a test tells them to. */
export class ScriptedWorld {
  readonly pool: WorkerPool;
  readonly workers: ScriptedWorker[] = [];
  /** What came of every comparison. */
  readonly compared: string[] = [];
  /** Contradictions that were found after one of their answers had been used. */
  readonly lateContradictions: CoordinatorError[] = [];
  readonly server: CoordinatorServer;
  private address = '';
  private readonly proxies: TcpProxy[] = [];

  static async open(minWorkers = 1, ...settings: string[]): Promise<ScriptedWorld> {
    const world = new ScriptedWorld(minWorkers, settings);
    world.address = await world.server.listen('127.0.0.1:0');
    return world;
  }

  private constructor(minWorkers: number, settings: readonly string[]) {
    this.pool = new WorkerPool(minWorkers);
    const run = readTrainingRun('examples/quick.yaml', [
      'spec.operation.membership.maxWorkers=4',
      ...settings,
    ]);
    const admission = admissionOf(run);
    const protection = { tls: null, joinToken: null };
    this.server = new CoordinatorServer({
      admission,
      pool: this.pool,
      log,
      onIdentity: () => {},
      protection,
    });
  }

  /** A worker that has connected, over a proxy if there is one, and said nothing yet. */
  stranger(proxy?: TcpProxy): ScriptedWorker {
    const scripted = new ScriptedWorker(proxy ? `127.0.0.1:${proxy.port}` : this.address);
    this.workers.push(scripted);
    return scripted;
  }

  /** A network between the coordinator and a worker. */
  async proxy(): Promise<TcpProxy> {
    const proxy = await TcpProxy.to(this.address);
    this.proxies.push(proxy);
    return proxy;
  }

  async joined(proxy?: TcpProxy): Promise<ScriptedWorker> {
    const scripted = this.stranger(proxy);
    await scripted.join();
    await scripted.next('admitted');
    return scripted;
  }

  step(changed: Partial<GradientStep> = {}, notify: (event: WorkEvent) => void = () => {}) {
    return runGradientStep(describedStep(changed), this.surroundings(notify));
  }

  /** What work is carried out in. */
  surroundings(
    notify: (event: WorkEvent) => void = () => {},
    signal: AbortSignal = new AbortController().signal,
  ): WorkSurroundings {
    return {
      pool: this.pool,
      clock: systemClock,
      notify: (event) => {
        if (event.type === 'work.compared') this.compared.push(event.outcome);
        notify(event);
      },
      signal,
      onLateContradiction: (error) => this.lateContradictions.push(error),
    };
  }

  /** Makes every deadline the shortest one, or that of microbatches which took so long. */
  hurry(seconds = 0.001): void {
    for (let i = 0; i < 64; i++) this.pool.deadlines.observe(seconds);
  }

  async close(): Promise<void> {
    for (const scripted of this.workers) scripted.leave();
    await this.server.close({ reason: 'the test is over' });
    for (const proxy of this.proxies) await proxy.close();
  }
}

export const at = (step: number) => ({ iteration: 0, epoch: 0, step });

/** A step whose weights are more than a connection takes at once. */
export function largeStep(number: number): Partial<GradientStep> {
  const none = new Float32Array(0);
  const weights = { parameters: new Float32Array(12 << 20), mean: none, variance: none };
  return { position: at(number), weights: new OutgoingWeights(1, number, weights, 'float32') };
}
