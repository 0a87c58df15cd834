// `npm start`: runs the setup, then `fcaenet start` in this process, which gets the signals and sets the exit code.
import { runScript } from './lib.mjs';
import { setup } from './setup.mjs';

await runScript(() => setup({ quiet: true }));
process.argv.splice(2, 0, 'start');
await import('../dist/cli.js');
