// `npm start`: sets up, then becomes `fcaenet start`, in this process, so that signals and exit code are its own.
import { runScript } from './lib.mjs';
import { setup } from './setup.mjs';

await runScript(() => setup({ quiet: true }));
process.argv.splice(2, 0, 'start');
await import('../dist/cli.js');
