import { type Console, openConsole } from '../console/console.js';
import type { ResumeMode } from '../run/run-directory.js';
import type { TrainingRun } from '../run/training-run.js';
import { coordinate } from './coordinate.js';
import { evaluateRun } from './evaluate-run.js';
import { localWorkerCount } from './fleet.js';
import type { RunResult } from './result.js';

interface RunOptions {
  readonly run: TrainingRun;
  readonly resume: ResumeMode;
}

/** `fcaenet train`: a coordinator in this process and its workers beside it. Throws what `coordinate` throws. */
export async function train({ run, resume }: RunOptions): Promise<void> {
  await withConsole(async (console) => {
    const result = await coordinate({ run, resume, console, localWorkers: localWorkerCount(run) });
    reportResult(console, run, result);
  });
}

/** `fcaenet coordinator`: the same for workers that are started elsewhere. */
export async function lead({ run, resume }: RunOptions): Promise<void> {
  await withConsole(async (console) => {
    const result = await coordinate({ run, resume, console, localWorkers: 0 });
    reportResult(console, run, result);
  });
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

async function withConsole(body: (console: Console) => Promise<void>): Promise<void> {
  const console = openConsole();
  try {
    await body(console);
  } finally {
    console.close();
  }
}

function reportResult({ log }: Console, run: TrainingRun, result: RunResult): void {
  const { runsDirectory } = run.spec.operation;
  const { mAP, tieAveragedMAP, precisionAt, untrained, seconds, imagesPerSecond, workers } = result;
  log.info('run finished', {
    run: result.run,
    mAP,
    tieAveragedMAP,
    precisionAt,
    ...(untrained ? { untrained } : {}),
    seconds,
    imagesPerSecond,
    workers,
    result: `${runsDirectory}/${result.run}/result.json`,
  });
}
