import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as passMs } from 'node:timers/promises';
import type { RunResult } from '../../../src/coordinator/training/result.js';
import { CommandLine, runCommandLine } from '../command-line.js';
import { NatsServer } from '../nats-server.js';
import { killWhileWriting } from './kill-while-writing.js';
import type { Fault } from './schedule.js';
import { Supervised } from './supervisor.js';
import { WorkerPlace } from './worker-place.js';

/** Fewer bytes than a checkpoint's largest file has. */
const fullDiskBytes = 200_000;

export interface ScheduleOptions {
  /** Holds the run file and its dataset in `data`; see the small run. */
  readonly folder: string;
  readonly runFile: string;
  readonly name: string;
  readonly workers: number;
  readonly faults: readonly Fault[];
  readonly settings: readonly string[];
  readonly limitMs: number;
}

export interface ScheduleOutcome {
  readonly digests: Pick<RunResult, 'weightsSha256' | 'codesSha256'>;
  /** How `fcaenet audit` ended: exit code and stderr. */
  readonly audit: readonly [exitCode: number | null, stderr: string];
  /** Faults that happened; one whose step came too late did not. */
  readonly happened: readonly Fault[];
  readonly restarts: number;
  /** Most workers that exchanged gradients, of those seen after each checkpoint. */
  readonly exchanging: number;
  readonly seconds: number;
}

/**
 * Carries out a run with the real command line, the coordinator and each worker a process of its own that is started
 * again whenever it ends, while the faults of a schedule happen to it; then audits it.
 * @throws when the run does not come to its end, with the last words of every process
 */
export async function runSchedule(options: ScheduleOptions): Promise<ScheduleOutcome> {
  const { folder, runFile, name, workers, faults, limitMs } = options;
  const started = performance.now();
  const directory = join(folder, 'runs', name);
  const waiting = new Set(faults);
  const happened: Fault[] = [];
  const places = await Promise.all(
    Array.from({ length: workers }, (_, place) => {
      const lies = faults.some(
        ({ kind, worker }) => worker === place && (kind === 'nan' || kind === 'length'),
      );
      return WorkerPlace.open(folder, `place-${place}`, lies);
    }),
  );

  const nats = faults.some(({ kind }) => kind === 'nats-stop') ? await NatsServer.start() : null;
  const settings = [...options.settings, 'spec.operation.metrics=127.0.0.1:0'];
  if (nats) settings.push(`spec.operation.nats.url=${nats.url}`);
  /** One after another: what is stopped already cannot be stopped. */
  let outages = Promise.resolve();
  const stopNats = (durationMs: number) => {
    outages = outages.then(async () => {
      await nats?.kill();
      await passMs(durationMs);
      await nats?.start();
    });
  };

  const apply = (fault: Fault): void => {
    const process = coordinator.current;
    happened.push(fault);
    if (fault.kind === 'coordinator-kill') process.kill('SIGKILL');
    else if (fault.kind === 'coordinator-kill-writing') {
      killWhileWriting(join(directory, 'checkpoints'), fault.change, () => process.kill('SIGKILL'));
    } else if (fault.kind === 'disk-full') limitFileSize(process.pid);
    else if (fault.kind === 'nats-stop') stopNats(fault.durationMs);
    else places[fault.worker]!.apply(fault);
  };
  let exchanging = 0;
  const lookAtExchange = async (metrics: string) => {
    exchanging = Math.max(exchanging, await exchangingIn(metrics));
  };
  const start = (): CommandLine => {
    let metrics = '';
    const flags = [`metadata.name=${name}`, ...settings].flatMap((setting) => ['--set', setting]);
    const process = new CommandLine(['coordinator', runFile, '--resume=auto', ...flags], { cwd: folder });
    process.onLine(({ message, address, url, name: checkpoint }) => {
      if (message === 'metrics') metrics = String(url);
      if (message === 'waiting for workers') for (const place of places) place.coordinatorAt(String(address));
      if (message !== 'checkpoint written') return;
      void lookAtExchange(metrics);
      const done = Number(String(checkpoint).split('-').at(-1));
      /** Two of a kind at one moment would be one: the second finds nothing left to disturb. */
      const kinds = new Set<string>();
      for (const fault of waiting) {
        if (fault.step > done || kinds.has(fault.kind)) continue;
        kinds.add(fault.kind);
        waiting.delete(fault);
        setTimeout(() => apply(fault), fault.delayMs);
      }
    });
    return process;
  };
  const coordinator = new Supervised(start);

  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the run did not end within ${limitMs} ms`)), limitMs);
  });
  try {
    await Promise.race([coordinator.finished, late]);
  } catch (error) {
    const last = coordinator.current.lines.slice(-5).map((line) => JSON.stringify(line));
    const words = [
      (error as Error).message,
      `coordinator: ${coordinator.endings.join(' | ')}; ${last.join(' ')}`,
      ...places.map(({ endings }, place) => `worker ${place}: ${endings.join(' | ')}`),
    ];
    throw new Error(words.join('\n'), { cause: error });
  } finally {
    clearTimeout(timer);
    await Promise.all([coordinator.stop(), outages, ...places.map((place) => place.close())]);
    await nats?.remove();
  }
  const audit = await runCommandLine(['audit', `runs/${name}`], { cwd: folder });
  const result = JSON.parse(await readFile(join(directory, 'result.json'), 'utf8')) as RunResult;
  return {
    digests: { weightsSha256: result.weightsSha256, codesSha256: result.codesSha256 },
    audit: [audit.exitCode, audit.stderr],
    happened,
    restarts: coordinator.restarts + places.reduce((sum, place) => sum + place.restarts, 0),
    exchanging,
    seconds: (performance.now() - started) / 1000,
  };
}

/** Workers that exchange gradients now; 0 where the coordinator has ended meanwhile. */
async function exchangingIn(metrics: string): Promise<number> {
  const text = await fetch(metrics).then(
    (reply) => reply.text(),
    () => '',
  );
  return Number(/^fcaenet_exchange_workers(?:{[^}]*})? (\S+)$/m.exec(text)?.[1] ?? 0);
}

/** From now on a write past this size fails in the middle of a file, as on a full disk. */
function limitFileSize(pid: number): void {
  try {
    execFileSync('prlimit', ['--pid', String(pid), `--fsize=${fullDiskBytes}`], { stdio: 'ignore' });
  } catch {
    // The process has just been killed by another fault.
  }
}

/** Whether `disk-full` can happen on this machine. */
export function canFillDisk(): boolean {
  try {
    execFileSync('prlimit', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
