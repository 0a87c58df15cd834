import type { Command } from 'commander';
import { addExamples, natsUrl } from './options.js';

export interface WatchOptions {
  /** A run's name or directory; undefined selects the only active run in runs/. */
  readonly run: string | undefined;
  /** Undefined uses the socket in the run directory, or else the server of the run's own settings. */
  readonly nats: string | undefined;
}

/** `fcaenet watch [RUN]`: an active run on the whole terminal. */
export function registerWatch(program: Command, watch: (options: WatchOptions) => Promise<void>): void {
  const command = program
    .command('watch')
    .description('show an active run on the whole terminal, or as JSON lines where there is none')
    .argument('[RUN]', 'the run’s name or directory (default: the active run in runs/)')
    .option('--nats <url>', 'use this NATS server (default: the socket in the run directory)', natsUrl);
  addExamples(command, ['npx fcaenet watch', 'npx fcaenet watch runs/quick']);
  command.action((run: string | undefined, { nats }: { nats?: string }) => watch({ run, nats }));
}
