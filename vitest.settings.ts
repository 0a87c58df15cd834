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
  '{coordinator,deploy,hub,inspection,live,machine,monitoring,processes,report,runs,serving,simulation,transport,worker}';

/**
 * Tests that start processes or open ports, and replace no module. Those of the command line are not among them: `--json`
 * sets the form of a process's output for good. Only one file among them loads an engine in its own
 * process, test/worker/gradient-work.test.ts, so there is no other engine to keep it apart from.
 */
export const sharedTests = [`test/${sharedFolders}/**/*.test.ts`];
