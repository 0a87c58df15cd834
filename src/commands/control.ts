import type { Command } from 'commander';
import type { ControlRequest } from '../transport/control/message.js';
import { addExamples, natsUrl } from './options.js';

export interface ControlOptions {
  readonly request: ControlRequest;
  /** A run's name or directory; undefined selects the only active run in runs/. */
  readonly run: string | undefined;
  /** Print JSON on a terminal too. */
  readonly json: boolean;
  /** Undefined uses the socket in the run directory, or else the server of the run's own settings. */
  readonly nats: string | undefined;
}

const descriptions = {
  status: 'print a running run’s position, workers, last mean average precision and checkpoint',
  pause: 'pause a run after its current step; its workers stay',
  resume: 'continue a paused run',
  checkpoint: 'write a checkpoint of a run now, and print its name',
  stop: 'stop a run like Ctrl-C does: with a checkpoint, so that it can be resumed',
} as const;
type Simple = keyof typeof descriptions;

/** `fcaenet status`, `pause`, `resume`, `checkpoint`, `stop` and `drain`: requests to an active run. */
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
    .description('remove one worker from a run after its current work; the others take over')
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
    .option('--run <run>', 'the run’s name or directory (default: the active run in runs/)')
    .option('--nats <url>', 'use this NATS server (default: the socket in the run directory)', natsUrl)
    .option('--json', 'print one JSON object on a terminal too', false);
  addExamples(command, examples);
}
