import type { Console } from '../console/console.js';
import type { ProgressTask, TaskDescription } from '../console/progress.js';
import { trainLocally } from '../coordinator/command.js';
import type { Cell } from './cell.js';

/**
 * Carries out the run of a cell in this process with local workers, from its newest checkpoint if there is one.
 * @param onShare called with the share of its steps that is done
 * @throws the errors of a run
 */
export async function runCell(
  console: Console,
  { run }: Cell,
  resumeCommand: string,
  onShare: (share: number) => void,
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
  const { result, farewell } = await trainLocally(watched, run, 'auto', resumeCommand);
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
