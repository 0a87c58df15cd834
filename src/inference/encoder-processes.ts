import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type ExitCode, FcaenetError } from '../errors.js';
import { cudaEnvironment, type GpuDevice } from '../machine/devices/device.js';
import { inheriting } from '../machine/devices/inherited.js';
import { heapArguments } from '../machine/heap.js';
import { sharedProcessors } from '../processes/worker-processes.js';
import type {
  EncodeAnswer,
  EncodeProcessOptions,
  EncodeRequest,
  FailureDescription,
} from './encode-messages.js';
import type { Encoder, PictureSource } from './encoder.js';
import { InferenceError } from './error.js';

/** Requests of one process at a time: one that is computed, and one that is decoded. */
const requestsPerProcess = 2;
const restartMs = 1000;
const encodeProgram = fileURLToPath(new URL('./encode-process.js', import.meta.url));

interface Job {
  readonly pictures: readonly PictureSource[];
  readonly resolve: (codes: Uint32Array<ArrayBuffer>) => void;
  readonly reject: (error: unknown) => void;
}

export interface EncoderProcessesOptions extends EncodeProcessOptions {
  readonly processes: number;
  /** GPUs that compute, one for each process; more processes share them in turn. Empty for the processors. */
  readonly devices: readonly GpuDevice[];
  /** Time limit of one request, after which its process is killed; null for none. */
  readonly timeoutMs: number | null;
  /** Whether a process that ended is started again. */
  readonly restarts: boolean;
  /** The program of a process; for tests. */
  readonly program?: string;
}

/** Encodes in processes of this machine, each with its own engine. */
export class EncoderProcesses implements Encoder {
  readonly requests: number;
  private readonly members: EncoderProcess[];
  private readonly waiting: Job[] = [];
  private closed = false;

  private constructor(private readonly options: EncoderProcessesOptions) {
    this.requests = options.processes * requestsPerProcess;
    this.members = Array.from({ length: options.processes }, (_, place) => this.start(place));
  }

  /**
   * Starts the processes.
   * @returns the processes, and how their engine differs from the run's, as clauses
   * @throws the error of a process that cannot load the network
   */
  static async open(
    options: EncoderProcessesOptions,
  ): Promise<{ encoder: EncoderProcesses; engine: string; differences: readonly string[] }> {
    const encoder = new EncoderProcesses(options);
    try {
      const [first] = await Promise.all(encoder.members.map((member) => member.ready));
      return { encoder, ...first! };
    } catch (error) {
      await encoder.close();
      throw error;
    }
  }

  /** Whether a process can take requests. */
  get isReady(): boolean {
    return this.members.some((member) => member.isReady);
  }

  encode(pictures: readonly PictureSource[]): Promise<Uint32Array<ArrayBuffer>> {
    const { timeoutMs } = this.options;
    return new Promise((resolve, reject) => {
      const job: Job = { pictures, resolve, reject };
      this.waiting.push(job);
      this.dispatch();
      if (timeoutMs === null) return;
      const timer = setTimeout(() => {
        const place = this.waiting.indexOf(job);
        if (place < 0) return;
        this.waiting.splice(place, 1);
        const seconds = timeoutMs / 1000;
        const message = `no process was free to encode a picture within ${seconds} s`;
        reject(new InferenceError('INFERENCE_TIMEOUT', message));
      }, timeoutMs);
      timer.unref();
    });
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.all(this.members.map((member) => member.end()));
  }

  private start(place: number): EncoderProcess {
    const { devices } = this.options;
    const member = new EncoderProcess(this.options, devices[place % devices.length] ?? null, {
      onFree: () => this.dispatch(),
      onEnd: () => {
        if (this.closed || !this.options.restarts) return;
        setTimeout(() => {
          if (this.closed) return;
          this.members[place] = this.start(place);
          // A process that cannot load the network ends, and is started again.
          this.members[place]!.ready.then(
            () => this.dispatch(),
            () => {},
          );
        }, restartMs).unref();
      },
    });
    return member;
  }

  private dispatch(): void {
    while (this.waiting.length > 0) {
      const open = this.members.filter((member) => member.isReady && member.load < requestsPerProcess);
      const member = open.sort((a, b) => a.load - b.load)[0];
      if (member === undefined) {
        if (this.options.restarts || this.members.some(({ hasEnded }) => !hasEnded)) return;
        for (const { reject } of this.waiting.splice(0)) reject(this.members[0]!.failure);
        return;
      }
      member.run(this.waiting.shift()!);
    }
  }
}

/** One process, and what it was asked. */
class EncoderProcess {
  readonly ready: Promise<{ engine: string; differences: readonly string[] }>;
  isReady = false;
  hasEnded = false;
  failure: unknown = null;
  private readonly child: ChildProcess;
  private readonly jobs = new Map<number, { readonly job: Job; readonly timer: NodeJS.Timeout | null }>();
  private readonly ended: Promise<void>;
  private lastId = 0;

  constructor(
    private readonly options: EncoderProcessesOptions,
    device: GpuDevice | null,
    private readonly events: { readonly onFree: () => void; readonly onEnd: () => void },
  ) {
    this.child = fork(options.program ?? encodeProgram, [], {
      serialization: 'advanced',
      execArgv: [...process.execArgv, ...heapArguments()],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: {
        ...process.env,
        ...sharedProcessors,
        ...(device && { ...inheriting({ devices: [device], note: null }), ...cudaEnvironment(device) }),
      },
    });
    this.ready = new Promise((resolve, reject) => {
      this.child.on('message', (answer: EncodeAnswer) => {
        if (answer.kind === 'ready') {
          this.isReady = true;
          resolve(answer);
          events.onFree();
        } else if (answer.id === null) {
          this.failure = errorOf(answer as FailureDescription);
          reject(this.failure);
          // It cannot encode; where processes are started again, the next one may load the network.
          this.child.kill('SIGKILL');
        } else {
          this.settle(answer);
        }
      });
      this.child.once('error', (error) => this.onExit(error, reject));
      this.child.once('exit', (code, signal) => {
        const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
        this.onExit(
          new InferenceError(
            'INFERENCE_PROCESS_ENDED',
            `a process that encodes pictures was ended ${how}, before it answered`,
          ),
          reject,
        );
      });
    });
    this.ready.catch(() => {});
    this.ended = new Promise((resolve) => this.child.once('exit', () => resolve()));
    const { runDirectory, checkpoint, engine, mostPixels } = options;
    this.send({ kind: 'load', runDirectory, checkpoint, engine, mostPixels });
  }

  get load(): number {
    return this.jobs.size;
  }

  run(job: Job): void {
    const id = ++this.lastId;
    const { timeoutMs } = this.options;
    const timer = timeoutMs === null ? null : setTimeout(() => this.giveUp(), timeoutMs);
    this.jobs.set(id, { job, timer });
    this.send({ kind: 'encode', id, pictures: job.pictures });
  }

  async end(): Promise<void> {
    if (this.hasEnded) return;
    this.child.kill('SIGKILL');
    await this.ended;
  }

  private giveUp(): void {
    this.failure = new InferenceError(
      'INFERENCE_TIMEOUT',
      `a picture was not encoded within ${this.options.timeoutMs! / 1000} s, so its process was ended`,
    );
    this.child.kill('SIGKILL');
  }

  private send(request: EncodeRequest): void {
    // A process that has just ended says so itself.
    this.child.send(request, () => {});
  }

  private settle(answer: EncodeAnswer & { id: number | null }): void {
    const entry = this.jobs.get(answer.id!);
    if (entry === undefined) return;
    this.jobs.delete(answer.id!);
    if (entry.timer) clearTimeout(entry.timer);
    if (answer.kind === 'codes') entry.job.resolve(answer.codes);
    else entry.job.reject(errorOf(answer as unknown as FailureDescription));
    this.events.onFree();
  }

  private onExit(error: unknown, rejectReady: (error: unknown) => void): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.isReady = false;
    this.failure ??= error;
    rejectReady(this.failure);
    for (const { job, timer } of this.jobs.values()) {
      if (timer) clearTimeout(timer);
      job.reject(this.failure);
    }
    this.jobs.clear();
    this.events.onEnd();
    this.events.onFree();
  }
}

function errorOf({ code, message, exitCode }: FailureDescription): Error {
  return code === null ? new Error(message) : new FcaenetError(code, message, exitCode as ExitCode);
}
