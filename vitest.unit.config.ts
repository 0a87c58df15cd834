import { defineConfig } from 'vitest/config';

/** Of the tests below, those of the folder whose mutants are tried. */
const folders =
  process.env.FCAENET_MUTATED ?? '{checkpoint,data,estimate,hashing,ledger,reduction,retrieval,run,schedule}';

/** Tests that start no process and open no port: `npm run test:unit`, and what mutants are tried on. */
export default defineConfig({
  test: {
    include: [`test/${folders}/**/*.test.ts`],
    // These two start processes to kill them.
    exclude: ['test/checkpoint/kill.test.ts', 'test/run/run-directory.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 120_000,
  },
});
