import type { ViteUserConfig } from 'vitest/config';

/** Settings of every tier of tests. */
export const settings = {
  pool: 'forks',
  maxWorkers: 2,
  // Concurrent tests start processes of their own.
  maxConcurrency: 2,
  // Generous: tests of whole runs take seconds, but also end on a machine that is busy with other work.
  testTimeout: 120_000,
  hookTimeout: 120_000,
} satisfies ViteUserConfig['test'];

const plainFolders =
  '{checkpoint,clock,data,encoding,estimate,experiments,formats,hashing,identity,ledger,methods,reduction,retrieval,run,schedule,search,structure}';

/** Tests that start no process, open no port and load no engine. */
export const plainTests = [`test/${plainFolders}/**/*.test.ts`];

const sharedFolders =
  '{cli,coordinator,deploy,hub,inspection,live,machine,monitoring,processes,report,runs,serving,simulation,transport,worker}';

/** Tests that start processes or open ports, but load no engine in their own process and replace no module. */
export const sharedTests = [`test/${sharedFolders}/**/*.test.ts`];
