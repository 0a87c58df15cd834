import { type ChildProcess, fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Log } from '../console/log.js';
import { ExitCode, isPermanent } from '../errors.js';
import { cudaEnvironment, describeDevice } from '../machine/devices/device.js';
import { deviceFailure } from '../machine/devices/failure.js';
import { inheriting } from '../machine/devices/inherited.js';
import { formatProcessorList } from '../machine/devices/processor-list.js';
import { noIdleCollections } from '../machine/garbage-collection.js';
import { heapArguments } from '../machine/heap.js';
import { withNodeThreads } from '../machine/node-threads.js';
import { machineResources } from '../machine/resources.js';
import { boundNode, canBind } from './bound-node.js';
import type { WorkerPlace } from './plan.js';

/** How often a process is restarted, for each worker place. */
const restartsPerPlace = 3;
/** Usual wait before the first restart on a GPU: a driver needs seconds to recover. */
export const deviceRestartMs = 1_000;
/** Lines of a process that are searched for the failure of its GPU, when it ends. */
const keptLines = 50;

/**
 * OpenMP settings for processes that share the machine's processors. Without them, waiting threads spin and take
 * processor time from the other processes, and thread binding starts at the first processor in every process.
 */
export const sharedProcessors = { OMP_WAIT_POLICY: 'PASSIVE', OMP_PROC_BIND: 'FALSE' } as const;

/** How a worker process ended. */
export interface WorkerEnding {
  /** Of this process, or the one that the failure of its GPU stands for; null where a signal ended it. */
  readonly exitCode: number | null;
  /** `exit code 1`, `killed by SIGKILL`. */
  readonly how: string;
  /** Its last line on stderr without the program's name, or what became of its GPU. */
  readonly sentence: string;
}

/** What one process gets besides its place. */
export interface WorkerStart {
  /** Arguments after `worker`. */
  readonly flags: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  /** Descriptors that it inherits after the channel to this process. */
  readonly descriptors: readonly number[];
  /** Called when the process has ended. */
  readonly onEnd: () => void;
}

export interface WorkerProcessesOptions {
  readonly places: readonly WorkerPlace[];
  /** @param name of the worker in logs @param place among the places */
  readonly startOf: (name: string, place: number) => WorkerStart;
  /** Where its log goes: to standard output of this process, or nowhere, as the coordinator has it anyway. */
  readonly output: 'inherit' | 'ignore';
  /** Wait before the first restart on a GPU; each further one is four times as long. On processors there is none. */
  readonly restartMs: number;
  readonly log: Log;
  /** Called whenever no process is left and none will be restarted, with the ending of the last. */
  readonly onIdle: (ending: WorkerEnding) => void;
}

/**
 * Worker processes on this machine, each with its own command line, GPU and processors. A process that was killed or
 * failed is restarted a few times, on a GPU after growing waits. A process that ends with a permanent failure, such as
 * the loss of its GPU, is not restarted; the others continue.
 */
export class WorkerProcesses {
  private readonly processes = new Set<ChildProcess>();
  private readonly waiting = new Set<NodeJS.Timeout>();
  private readonly binds: boolean;
  private stopping = false;
  private finished = 0;

  constructor(private readonly options: WorkerProcessesOptions) {
    const { places, log } = options;
    this.binds = canBind();
    if (!this.binds && places.some(({ processors }) => processors !== null)) {
      log.warn('workers are not bound to processors, because taskset (util-linux) is not installed');
    }
    places.forEach((place, index) => {
      this.start(place, index, 0);
    });
  }

  /** Whether a process ended with exit code 0, which says that the run is over. */
  get hasFinished(): boolean {
    return this.finished > 0;
  }

  /** Processes that end from now on are expected to end, and none is restarted. */
  expectEnd(): void {
    this.stopping = true;
    for (const timer of this.waiting) clearTimeout(timer);
    this.waiting.clear();
  }

  /** Tells every process to end, and waits for it. Kills those that still run after `graceMs` with SIGKILL. */
  async stop(graceMs: number): Promise<void> {
    this.expectEnd();
    const ended = Promise.all(
      [...this.processes].map((child) => new Promise((resolve) => child.once('exit', resolve))),
    );
    const force = Number.isFinite(graceMs)
      ? setTimeout(() => {
          for (const child of this.processes) child.kill('SIGKILL');
        }, graceMs)
      : undefined;
    for (const child of this.processes) if (child.connected) child.disconnect();
    await ended;
    clearTimeout(force);
  }

  private start(place: WorkerPlace, index: number, restarts: number): void {
    const { log, output, startOf } = this.options;
    const { device, processors } = place;
    const { flags, environment, descriptors, onEnd } = startOf(nameOf(place, index), index);
    const program = fileURLToPath(new URL('../cli.js', import.meta.url));
    // The IPC channel tells the worker that its parent is alive: the worker leaves when the channel closes. The process
    // group of its own keeps the terminal's Ctrl-C away from it, because its parent decides when it stops.
    const child = fork(program, ['worker', ...flags], {
      ...boundNode(this.binds ? processors : null, [
        ...process.execArgv.filter((argument) => argument !== noIdleCollections),
        ...heapArguments(),
        noIdleCollections,
      ]),
      stdio: ['ignore', output, 'pipe', 'ipc', ...descriptors],
      detached: true,
      env: {
        ...this.threadsAt(place),
        ...process.env,
        ...sharedProcessors,
        ...environmentAt(place),
        ...environment,
      },
    });
    this.processes.add(child);
    if (device !== null) {
      log.info('worker started on a GPU', {
        place: index,
        device: describeDevice(device),
        ...(processors === null ? {} : { processors: formatProcessorList(processors) }),
      });
    }
    const lines: string[] = [];
    createInterface({ input: child.stderr! }).on('line', (line) => {
      lines.push(line);
      if (lines.length > keptLines) lines.shift();
    });
    let hasEnded = false;
    const end = (ending: WorkerEnding) => {
      if (hasEnded) return;
      hasEnded = true;
      this.processes.delete(child);
      onEnd();
      if (!this.stopping) this.ended(place, index, restarts, ending);
    };
    child.once('exit', (exitCode, signal) => end(endingOf(place, exitCode, signal, lines)));
    // The program that starts it cannot be run.
    child.once('error', ({ message }) =>
      end({ exitCode: ExitCode.failed, how: 'not started', sentence: message }),
    );
  }

  /** Threads for its share of the processors, on which a process with a GPU decodes images. The user's number counts more. */
  private threadsAt({ device, processors }: WorkerPlace): NodeJS.ProcessEnv {
    if (device === null) return {};
    const all = machineResources().processors;
    const share = Math.floor(all / this.options.places.length);
    return withNodeThreads(Math.min(share, processors?.length ?? all));
  }

  private ended(place: WorkerPlace, index: number, restarts: number, ending: WorkerEnding): void {
    const { log } = this.options;
    const { exitCode, how, sentence } = ending;
    const device = place.device && describeDevice(place.device);
    if (exitCode === ExitCode.finished) this.finished++;
    else {
      log.warn('local worker ended', { place: index, ...(device === null ? {} : { device }), how, sentence });
      if (restarts < restartsPerPlace && !isPermanent(exitCode)) {
        this.restart(place, index, restarts);
        return;
      }
      if (device !== null) {
        log.warn('GPU given up', { device, starts: restarts + 1, sentence });
      }
    }
    if (this.processes.size === 0 && this.waiting.size === 0) this.options.onIdle(ending);
  }

  private restart(place: WorkerPlace, index: number, restarts: number): void {
    if (place.device === null) {
      this.start(place, index, restarts + 1);
      return;
    }
    const timer = setTimeout(
      () => {
        this.waiting.delete(timer);
        this.start(place, index, restarts + 1);
      },
      this.options.restartMs * 4 ** restarts,
    );
    this.waiting.add(timer);
  }
}

function nameOf({ device }: WorkerPlace, index: number): string {
  return device === null ? `local-${index}` : `local-${index}-gpu-${device.index}`;
}

/** What shows a process its GPU, or that there is none. */
function environmentAt({ device, found, hidesGpus }: WorkerPlace): NodeJS.ProcessEnv {
  return {
    ...(found === null ? {} : inheriting(found)),
    ...(device === null ? {} : cudaEnvironment(device)),
    ...(hidesGpus ? { CUDA_VISIBLE_DEVICES: '-1' } : {}),
  };
}

/** A crash in TensorFlow leaves only lines on stderr: they say whether it was the GPU. */
function endingOf(
  { device }: WorkerPlace,
  exitCode: number | null,
  signal: NodeJS.Signals | null,
  lines: readonly string[],
): WorkerEnding {
  const failure = device && signal !== null ? deviceFailure(device, lines.join('\n')) : null;
  const how = signal === null ? `exit code ${exitCode}` : `killed by ${signal}`;
  if (failure !== null) return { exitCode: failure.exitCode, how, sentence: failure.message };
  return { exitCode, how, sentence: lines.at(-1)?.replace(/^fcaenet: /, '') ?? '' };
}
