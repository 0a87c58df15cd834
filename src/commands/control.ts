import type { Command } from 'commander';
import type { ControlRequest } from '../transport/control/message.js';
import { addExamples, natsUrl } from './options.js';

export interface ControlOptions {
  readonly request: ControlRequest;
  /** A run's name or directory; undefined takes the one run that is going on in runs/. */
  readonly run: string | undefined;
  /** JSON on a terminal too. */
  readonly json: boolean;
  /** Undefined takes the socket in the run directory, or else the server of the run's own settings. */
  readonly nats: string | undefined;
}

const descriptions = {
  status: 'print a running run’s position, workers, last mean average precision and checkpoint',
  pause: 'hold a run after the step it is in; its workers stay',
  resume: 'let a paused run go on',
  checkpoint: 'write a checkpoint of a run now, and name it',
  stop: 'end a run as Ctrl-C does: with a checkpoint, to be resumed later',
} as const;
type Simple = keyof typeof descriptions;

/** `fcaenet status`, `pause`, `resume`, `checkpoint`, `stop` and `drain`: what may be asked of a run that goes on. */
export function registerControl(program: Command, control: (options: ControlOptions) => Promise<void>): void {
  for (const name of Object.keys(descriptions) as Simple[]) {
    const command = program.command(name).description(descriptions[name]);
    addRunOptions(command, [`npx fcaenet ${name}`, `npx fcaenet ${name} --run runs/quick`]);
    command.action(async (options: RunOptions) => {
      await control({ request: { command: name }, ...chosen(options) });
    });
  }
  const drain = program
    .command('drain')
    .description('send one worker of a run home; the others take its work')
    .argument('<WORKER>', 'its slot or name, as status shows them');
  addRunOptions(drain, [
    'npx fcaenet drain local-1',
    'npx fcaenet drain 0 --run quick --nats nats://127.0.0.1:4222',
  ]);
  drain.action(async (worker: string, options: RunOptions) => {
    await control({ request: { command: 'drain', worker }, ...chosen(options) });
  });
}

interface RunOptions {
  readonly run?: string;
  readonly nats?: string;
  readonly json: boolean;
}

function chosen({ run, nats, json }: RunOptions) {
  return { run, nats, json };
}

function addRunOptions(command: Command, examples: readonly string[]): void {
  command
    .option('--run <run>', 'the run’s name or directory (default: the one that is going on in runs/)')
    .option(
      '--nats <url>',
      'ask over this NATS server (default: by the socket in the run directory)',
      natsUrl,
    )
    .option('--json', 'print one JSON object on a terminal too', false);
  addExamples(command, examples);
}
