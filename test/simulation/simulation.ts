import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Member } from '../../src/coordinator/dispatch/member.js';
import { Chance } from './chance.js';
import { drawPlan, type Fault, type Plan, spoilsAnswers, uneventful } from './faults.js';
import { ledgerFault } from './ledger-fault.js';
import { SimulatedProcess, SimulatedTime } from './simulated-clock.js';
import { SimulatedCoordinator, type SimulatedPort } from './simulated-coordinator.js';
import type { DiskTrouble } from './simulated-disk.js';
import { SimulatedLine, type SimulatedLinks } from './simulated-line.js';
import { SimulatedLink } from './simulated-link.js';
import { SimulatedPeerNetwork } from './simulated-peer-network.js';
import { datasetOf, runIn } from './simulated-run.js';
import { SimulatedWorker } from './simulated-worker.js';

/** Simulated time after which a run that has not ended is stuck. */
const longestMs = 30 * 60_000;
/** A worker is set aside when it misses more deadlines than this within ten minutes. */
const mostMisses = 8;

/** What became of a simulation. */
export interface Outcome {
  readonly seed: number;
  readonly plan: Plan;
  /** What is wrong; empty where all is well. */
  readonly violations: readonly string[];
  readonly weightsSha256: string | null;
  readonly codesSha256: string | null;
  /** Losses, flipped bits and evaluation of every iteration, as JSON. */
  readonly history: string | null;
  readonly simulatedMs: number;
  readonly trace: readonly string[];
}

/** What runs end with, by their method, precision and schedule, when one worker computes everything and nothing happens. */
const undisturbed = new Map<string, Promise<Outcome>>();

/** Carries out the run that a seed decides, and holds its end against that of an undisturbed run. */
export async function simulateAndCompare(seed: number): Promise<Outcome> {
  const outcome = await simulate(seed);
  const { method, precision, iterations, steps } = outcome.plan;
  const decided = { method, precision, iterations, steps };
  const schedule = Object.values(decided).join(' ');
  const quiet = { ...uneventful, ...decided };
  const reference = undisturbed.get(schedule) ?? simulate(0, quiet);
  undisturbed.set(schedule, reference);
  const { weightsSha256, codesSha256, history, violations } = await reference;
  if (violations.length > 0) throw new Error(`the undisturbed run fails: ${violations.join('; ')}`);
  if (outcome.violations.length > 0) return outcome;
  const differences = [
    outcome.weightsSha256 === weightsSha256 ? null : 'the weights differ from those of an undisturbed run',
    outcome.codesSha256 === codesSha256 ? null : 'the codes differ from those of an undisturbed run',
    outcome.history === history ? null : 'losses or evaluations differ from those of an undisturbed run',
  ];
  return { ...outcome, violations: differences.filter((each) => each !== null) };
}

/** Carries out the run that a seed decides, with everything that happens to it. */
export async function simulate(seed: number, changed: Partial<Plan> = {}): Promise<Outcome> {
  const simulation = new Simulation(seed, changed);
  try {
    return await simulation.run();
  } finally {
    simulation.close();
  }
}

class Simulation {
  private readonly time = new SimulatedTime();
  private readonly chance: Chance;
  private readonly plan: Plan;
  private readonly directory = fs.mkdtempSync(
    join(fs.existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'fcaenet-simulation-'),
  );
  private readonly lines: string[] = [];
  private readonly violations: string[] = [];
  /** By member: a worker that was gone and comes back has the same label, and starts anew. */
  private readonly misses = new WeakMap<Member, number[]>();
  /** Of the coordinators that listen; there is more than one where one does not know yet that it was replaced. */
  private readonly ports = new Map<SimulatedProcess, SimulatedPort>();
  private coordinator: {
    process: SimulatedProcess;
    coordinator: SimulatedCoordinator;
    trouble: DiskTrouble;
  } | null = null;
  /** By place. */
  private readonly workers = new Map<number, { process: SimulatedProcess; worker: SimulatedWorker }>();
  private readonly links: SimulatedLinks;
  private readonly peerNetwork: SimulatedPeerNetwork;
  private starts = 0;
  private peers = 0;
  private result: { weightsSha256: string; codesSha256: string; history: object } | null = null;

  constructor(
    private readonly seed: number,
    changed: Partial<Plan>,
  ) {
    this.chance = new Chance(seed);
    this.plan = { ...drawPlan(seed, this.chance), ...changed };
    const { bytesPerSecond } = this.plan;
    this.links = {
      up: new SimulatedLink(this.time, bytesPerSecond),
      down: new SimulatedLink(this.time, bytesPerSecond),
    };
    this.peerNetwork = new SimulatedPeerNetwork(this.plan);
  }

  async run(): Promise<Outcome> {
    const { plan, time } = this;
    const onRejection = (error: unknown) => this.violate(`unhandled rejection: ${String(error)}`);
    process.on('unhandledRejection', onRejection);
    try {
      this.startCoordinator();
      for (let place = 0; place < plan.workers; place++) this.startWorkerLater(place);
      for (const fault of plan.faults) time.after(fault.atMs, () => this.happen(fault));
      await setImmediate();
      while (!this.result && time.nowMs < longestMs && this.violations.length === 0) {
        if (!time.advance()) {
          this.violate('nothing is due any more, and the run has not ended');
          break;
        }
        // Everything that follows from it happens before anything else is due.
        await setImmediate();
      }
      if (!this.result && this.violations.length === 0) this.violate('the run does not end');
      if (this.result && this.violations.length === 0) {
        const fault = await ledgerFault(this.directory, this.plan);
        if (fault) this.violate(`the ledger does not hold: ${fault}`);
      }
    } finally {
      process.off('unhandledRejection', onRejection);
    }
    return {
      seed: this.seed,
      plan,
      violations: this.violations,
      weightsSha256: this.result?.weightsSha256 ?? null,
      codesSha256: this.result?.codesSha256 ?? null,
      history: this.result && JSON.stringify(this.result.history),
      simulatedMs: time.nowMs,
      trace: this.lines,
    };
  }

  close(): void {
    this.coordinator?.process.end();
    for (const { process } of this.workers.values()) process.end();
    fs.rmSync(this.directory, { recursive: true, force: true });
  }

  private trace(who: string, line: string): void {
    this.lines.push(`${this.time.nowMs.toFixed(3).padStart(12)} ${who}: ${line}`);
  }

  private violate(what: string): void {
    this.trace('oracle', what);
    this.violations.push(what);
  }

  private startCoordinator(): void {
    const name = `coordinator-${++this.starts}`;
    const process = new SimulatedProcess(name, this.time);
    const trouble: DiskTrouble = { fullAfter: null };
    const trace = (line: string) => process.hasEnded || this.trace(name, line);
    const coordinator = new SimulatedCoordinator({
      process,
      run: runIn(this.directory, this.plan),
      dataset: datasetOf(this.plan),
      chance: this.chance,
      secret: new Chance(this.seed, 4 + this.starts),
      trouble,
      peers: this.plan.carries ? this.peerNetwork : null,
      trace,
      onOverdue: (member) => {
        this.countMiss(name, member);
        this.checkLine(member);
      },
      onExchangeGivenUp: (reason) => this.checkGivenUp(name, reason),
      onRejected: (member, sentence) => this.checkRejection(`${name} ${member.label}`, sentence),
      onListening: (port) => {
        this.ports.delete(process);
        if (port) this.ports.set(process, port);
      },
    });
    process.whenEnded(() => this.ports.delete(process));
    this.coordinator = { process, coordinator, trouble };
    coordinator.lead().then(
      (result) => {
        if (process.hasEnded) return;
        if (this.coordinator?.process !== process)
          this.violate('a coordinator that was replaced has finished');
        this.result = result;
      },
      (error: { code?: string; message: string }) => {
        if (process.hasEnded) return;
        trace(`ended: ${error.code ?? 'UNEXPECTED'} ${error.message}`);
        if (!this.isExpected(error.code ?? '')) this.violate(`a coordinator ended with ${String(error)}`);
        this.endCoordinator(process);
      },
    );
  }

  /** Whether a supervisor starts a coordinator again that has ended so. */
  private isExpected(code: string): boolean {
    // Where a worker gives a wrong digest and only one other is there, nobody can say which of the two is right.
    if (code === 'COORDINATOR_CONTRADICTION') return this.plan.faults.some(({ kind }) => kind === 'digest');
    return expectedEndings.has(code);
  }

  private endCoordinator(process: SimulatedProcess): void {
    process.end();
    // A successor may be there already.
    if (this.coordinator?.process !== process) return;
    this.coordinator = null;
    this.checkLatest();
    this.time.after(this.chance.between(50, 2_000), () => this.startCoordinator());
  }

  private startWorkerLater(place: number): void {
    const { othersStartMs } = this.plan;
    if (place === 0 || othersStartMs === 0) this.startWorker(place);
    else this.time.after(othersStartMs, () => this.startWorker(place));
  }

  private startWorker(place: number): void {
    const process = new SimulatedProcess(`w${place}-${++this.starts}`, this.time);
    const worker = new SimulatedWorker(`worker-${place}`, {
      process,
      chance: this.chance,
      fingerprint: datasetOf(this.plan).fingerprint,
      trace: (line) => this.trace(process.name, line),
      manner: this.plan,
      devices: 1 + (place % this.plan.devices),
      // On a slow network an answer comes in many pieces, as a large one does.
      pieceBytes: this.plan.bytesPerSecond === Number.POSITIVE_INFINITY ? 1 << 20 : 64,
      peers: this.plan.exchange ? this.peerNetwork : null,
      dial: (dialling) => this.connect(process, dialling),
      answered: () => {},
    });
    this.workers.set(place, { process, worker });
  }

  private connect(process: SimulatedProcess, worker: SimulatedWorker): SimulatedLine | null {
    const open = [...this.ports.values()].filter((each) => each.process.isRunning);
    if (open.length === 0) return null;
    const port = this.chance.pick(open);
    const line = new SimulatedLine(
      `peer-${++this.peers}`,
      this.time,
      this.chance,
      this.plan,
      this.links,
      process,
      port.process,
      worker,
      port.traffic,
    );
    port.accept(line);
    return line;
  }

  private happen({ kind, choice, lastsMs }: Fault): void {
    const place = [...this.workers.keys()][Math.floor(choice * this.workers.size)]!;
    const { process, worker } = this.workers.get(place)!;
    const { coordinator } = this;
    this.trace('fault', `${kind} ${place}`);
    const later = (action: () => void) => this.time.after(lastsMs, action);
    switch (kind) {
      case 'worker-kill':
        process.end();
        later(() => this.startWorker(place));
        break;
      case 'worker-stop':
        process.stop();
        later(() => process.continue());
        break;
      case 'worker-slow':
        worker.manners.leastMs = 1_500;
        worker.manners.mostMs = 4_000;
        later(() => Object.assign(worker.manners, { leastMs: 5, mostMs: 40 }));
        break;
      case 'worker-lies':
      case 'worker-adds-wrong':
        worker.manners[kind === 'worker-lies' ? 'lies' : 'addsWrong'] = true;
        break;
      case 'line-cut':
        worker.line?.cut();
        break;
      case 'damage-up':
      case 'damage-down':
        worker.line?.damageNext(kind === 'damage-up' ? 'up' : 'down');
        break;
      case 'nan':
      case 'length':
      case 'digest':
        worker.manners.nextAnswer = kind;
        break;
      case 'coordinator-kill':
        if (coordinator) this.endCoordinator(coordinator.process);
        break;
      case 'coordinator-interrupt':
        coordinator?.coordinator.interrupt();
        break;
      case 'coordinator-replaced':
        this.replaceCoordinator(later);
        break;
      case 'disk-full':
        if (coordinator) coordinator.trouble.fullAfter = Math.floor(choice * 40);
        break;
      case 'clock-jump':
        coordinator?.process.jump((choice - 0.5) * 7_200_000);
        break;
      case 'pair-cut': {
        const other = this.workers.get((place + 1) % this.workers.size)!;
        later(this.peerNetwork.cut(process.name, other.process.name));
        break;
      }
      case 'call-cut':
        this.peerNetwork.cutCalls(process.name);
        break;
      case 'drain':
        coordinator?.coordinator.pool?.drain(String(place));
        break;
    }
  }

  /** A coordinator is stopped for longer than its lease, another leads meanwhile, and the first wakes up. */
  private replaceCoordinator(later: (action: () => void) => void): void {
    const { coordinator } = this;
    if (!coordinator) return;
    coordinator.process.stop();
    fs.rmSync(join(this.directory, 'simulated', 'lock'), { force: true });
    this.startCoordinator();
    later(() => coordinator.process.continue());
  }

  /** The coordinator rejects an answer only if a fault of the plan spoils answers, or what they are computed from. */
  private checkRejection(who: string, sentence: string): void {
    if (this.plan.faults.some(({ kind }) => spoilsAnswers.has(kind))) return;
    this.violate(`${who} is rejected, but no fault spoils answers: ${sentence}`);
  }

  /** A worker is late, and its work goes to others: not because the network is full. */
  private checkLine(member: Member): void {
    const { stream } = member;
    const workers = [...this.workers.values()];
    const late = workers.find(({ worker }) => worker.line?.coordinatorEnd.asStream === stream);
    if (!late?.process.isRunning || !late.worker.isIdle || !late.worker.line?.isCarrying) return;
    this.violate(`work of ${member.label} is handed out twice because the network is full`);
  }

  /**
   * A gradient that is not finite makes an exchange fail: its workers do not look at what they sum. So does a worker that
   * adds wrongly, where no third one is there to tell which of two sums is right.
   */
  private checkGivenUp(coordinator: string, reason: string): void {
    const has = (fault: string) => this.plan.faults.some(({ kind }) => kind === fault);
    if (has('nan')) return;
    if (has('worker-adds-wrong') && reason.endsWith('no further worker can decide')) return;
    this.violate(`${coordinator} gives an exchange up, but no gradient is wrong: ${reason}`);
  }

  private countMiss(coordinator: string, member: Member): void {
    const windowMs = 600_000;
    const recent = (this.misses.get(member) ?? []).filter((at) => this.time.nowMs - at < windowMs);
    recent.push(this.time.nowMs);
    this.misses.set(member, recent);
    if (recent.length <= mostMisses) return;
    void setImmediate().then(() => {
      if (member.state !== 'ready' && member.state !== 'computing') return;
      this.violate(
        `${coordinator} ${member.label} missed ${recent.length} deadlines and is still given work`,
      );
    });
  }

  /** What `latest` names is whole at every moment at which a coordinator may end. */
  private checkLatest(): void {
    const checkpoints = join(this.directory, 'simulated', 'checkpoints');
    const pointer = join(checkpoints, 'latest');
    if (!fs.existsSync(pointer)) return;
    const name = fs.readFileSync(pointer, 'utf8').trim();
    const names = [name, `.replaced-${name}`];
    const isThere = names.some((each) => fs.existsSync(join(checkpoints, each, 'manifest.json')));
    if (!isThere) this.violate(`latest names ${name}, which is not there`);
  }
}

/** Endings after which a supervisor starts a coordinator again. */
const expectedEndings = new Set([
  'COORDINATOR_INTERRUPTED',
  'COORDINATOR_DEPOSED',
  'CHECKPOINT_WRITE',
  'LEDGER_WRITE',
]);
