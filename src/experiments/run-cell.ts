import type { Console } from '../console/console.js';
import type { ProgressTask, TaskDescription } from '../console/progress.js';
import { trainLocally } from '../coordinator/command.js';
import type { Cell } from './cell.js';

/** What a run of an experiment tells. */
export interface CellWatch {
  /** Called with the share of its steps that is done. */
  readonly onShare: (share: number) => void;
  /** Called when it is asked to stop. It may finish or fail before it does. */
  readonly onAsked: () => void;
}

/**
 * Carries out the run of a cell in this process with local workers, from its newest checkpoint if there is one.
 * @throws the errors of a run
 */
export async function runCell(
  console: Console,
  { run }: Cell,
  resumeCommand: string,
  { onShare, onAsked }: CellWatch,
): Promise<void> {
  const watched: Console = {
    log: console.log,
    isTerminal: console.isTerminal,
    get lostLines() {
      return console.lostLines;
    },
    startTask: (description) => watchedTask(console.startTask(description), description, onShare),
    // The console belongs to the experiment.
    close: () => {},
  };
  const { result, farewell } = await trainLocally(watched, run, 'auto', resumeCommand, onAsked);
  const { mAP, seconds } = result;
  console.log.info('run finished', { run: result.run, mAP, seconds });
  await farewell();
}

/** The steps of a run are nearly all of its time. */
function watchedTask(
  task: ProgressTask,
  { name, total }: TaskDescription,
  onShare: (share: number) => void,
): ProgressTask {
  if (name !== 'training') return task;
  return {
    ...task,
    update: (done, fields, pace) => {
      task.update(done, fields, pace);
      onShare(done / total);
    },
  };
}
