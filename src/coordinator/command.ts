import { type Console, openConsole } from '../console/console.js';
import type { ResumeMode } from '../run/run-directory.js';
import type { TrainingRun } from '../run/training-run.js';
import { makeJoinToken, readJoinToken } from '../transport/join-token.js';
import { type CoordinateOptions, coordinate } from './coordinate.js';
import { evaluateRun } from './evaluate-run.js';
import { localWorkerCount } from './fleet.js';
import { auditRun } from './ledger/audit.js';

interface RunOptions {
  readonly run: TrainingRun;
  readonly resume: ResumeMode;
}

/** `fcaenet train`: a coordinator in this process and its workers beside it. Throws what `coordinate` throws. */
export function train({ run, resume }: RunOptions): Promise<void> {
  return withConsole((console) => trainOn(console, run, resume));
}

/** The same on a console that is open already. */
export async function trainOn(console: Console, run: TrainingRun, resume: ResumeMode): Promise<void> {
  const joinToken = readJoinToken(null, process.env) ?? makeJoinToken();
  await carryOut(console, { run, resume, localWorkers: localWorkerCount(run), joinToken });
}

/** `fcaenet coordinator`: the same for workers that are started elsewhere. */
export async function lead({
  run,
  resume,
  joinTokenFile,
}: RunOptions & { readonly joinTokenFile: string | undefined }): Promise<void> {
  const joinToken = readJoinToken(joinTokenFile ?? null, process.env);
  await withConsole((console) => carryOut(console, { run, resume, localWorkers: 0, joinToken }));
}

/** `fcaenet evaluate`: the figures of a run's newest checkpoint. Throws what `evaluateRun` throws. */
export async function evaluate(options: {
  readonly runDirectory: string;
  readonly data: string | undefined;
  readonly workers: number | undefined;
}): Promise<void> {
  await withConsole(async (console) => {
    const { step, report } = await evaluateRun({ ...options, console });
    const { perClassAP, ...figures } = report;
    const ranked = [...perClassAP].filter((precision) => !Number.isNaN(precision)).sort((a, b) => a - b);
    console.log.info('evaluated', {
      step,
      ...figures,
      worstClassAP: ranked[0],
      bestClassAP: ranked.at(-1),
    });
  });
}

/** `fcaenet audit`: what a run's ledger proves. Throws what `auditRun` throws. */
export async function audit(options: {
  readonly runDirectory: string;
  readonly data: string | undefined;
}): Promise<void> {
  await withConsole(async ({ log }) => {
    log.info('the run is complete, and every sample was used exactly once per epoch', {
      ...(await auditRun({ ...options, log })),
    });
  });
}

async function withConsole(body: (console: Console) => Promise<void>): Promise<void> {
  const console = openConsole();
  try {
    await body(console);
  } finally {
    console.close();
  }
}

async function carryOut(console: Console, options: Omit<CoordinateOptions, 'console'>): Promise<void> {
  const { result, file } = await coordinate({ ...options, console });
  const { mAP, tieAveragedMAP, precisionAt, untrained, seconds, imagesPerSecond, workers } = result;
  console.log.info('run finished', {
    run: result.run,
    mAP,
    ...(untrained ? { untrained } : {}),
    tieAveragedMAP,
    precisionAt,
    seconds,
    imagesPerSecond,
    workers,
    result: file,
  });
}
