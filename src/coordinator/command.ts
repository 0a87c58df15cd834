import { type Console, withConsole } from '../console/console.js';
import type { Log } from '../console/log.js';
import { OwnCommand } from '../console/own-command.js';
import { chooseWorkerPlaces } from '../processes/plan.js';
import type { ResumeMode } from '../run/run-directory.js';
import type { TrainingRun } from '../run/training-run.js';
import { joinTokenVariable, makeJoinToken, readJoinToken } from '../transport/join-token.js';
import { type Carried, coordinate } from './coordinate.js';
import { untrainedRemedy } from './training/untrained-remedy.js';

interface RunOptions {
  readonly run: TrainingRun;
  readonly resume: ResumeMode;
}

/** `fcaenet train`: a coordinator in this process, and local workers. Throws the errors of `coordinate`. */
export function train({ run, resume }: RunOptions): Promise<void> {
  return withConsole('beside', (console) => trainOn(console, run, resume));
}

/** `fcaenet train` on an open console. */
export async function trainOn(console: Console, run: TrainingRun, resume: ResumeMode): Promise<void> {
  const command = new OwnCommand();
  const carried = await trainLocally(console, run, resume, command.resume());
  await report(console, run, carried, command);
}

/**
 * Carries out a run with workers of this machine.
 * @param resumeCommand the command line that continues it after an interruption
 * @param onAsked called when the run is asked to stop
 */
export async function trainLocally(
  console: Console,
  run: TrainingRun,
  resume: ResumeMode,
  resumeCommand: string,
  onAsked = () => {},
): Promise<Carried> {
  const givenToken = readJoinToken(null, process.env);
  const localWorkers = await chooseWorkerPlaces(run, console.log);
  // Nobody else can know a token that is made here.
  const localAsOne = givenToken !== null && run.spec.operation.exchange === 'auto';
  const joinToken = givenToken ?? makeJoinToken();
  warnOfTooFew(run, localWorkers.length, localAsOne, console.log);
  return coordinate({
    console,
    run,
    resume,
    localWorkers,
    localAsOne,
    joinToken,
    resumeCommand,
    farewellSeconds: 0,
    onAsked,
  });
}

function warnOfTooFew(run: TrainingRun, processes: number, localAsOne: boolean, log: Log): void {
  const { minWorkers } = run.spec.operation.membership;
  const workers = localAsOne ? 1 : processes;
  if (workers >= minWorkers) return;
  const started = workers === 1 ? '1 worker' : `${workers} workers`;
  const kind = processes > workers ? ` of ${processes} processes` : '';
  const join = 'with npx fcaenet worker';
  log.warn(`this command starts only ${started}${kind}, but the run waits until ${minWorkers} have joined`, {
    remedy: localAsOne
      ? `start the others ${join}`
      : `--workers ${minWorkers} starts as many here; for others set ${joinTokenVariable} and a fixed port in spec.operation.listen, and start them ${join}`,
  });
}

/** `fcaenet coordinator`: a coordinator for workers that are started elsewhere. Throws the errors of `coordinate`. */
export async function lead({
  run,
  resume,
  joinTokenFile,
  farewellSeconds,
}: RunOptions & {
  readonly joinTokenFile: string | undefined;
  readonly farewellSeconds: number | null;
}): Promise<void> {
  const joinToken = readJoinToken(joinTokenFile ?? null, process.env);
  await withConsole('beside', async (console) => {
    const command = new OwnCommand();
    const resumeCommand = command.resume();
    const local = { localWorkers: [], localAsOne: false };
    const options = { run, resume, ...local, joinToken, farewellSeconds, resumeCommand };
    await report(console, run, await coordinate({ ...options, console }), command);
  });
}

/** Logs the result of a finished run, and waits until late workers are told. */
async function report(
  console: Console,
  run: TrainingRun,
  { result, file, farewell }: Carried,
  command: OwnCommand,
): Promise<void> {
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
  const remedy = untrainedRemedy(run, result, command);
  if (remedy !== null) {
    console.log.warn('the codes are no better than features that need no training', {
      mAP,
      ...untrained,
      remedy,
    });
  }
  await farewell();
}
