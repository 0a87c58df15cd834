import { defineConfig } from 'vitest/config';

/** Tests that start no process and open no port: `npm run test:unit`, and what mutants are tried on. */
export default defineConfig({
  test: {
    include: ['test/{checkpoint,data,estimate,hashing,ledger,reduction,retrieval,run,schedule}/**/*.test.ts'],
    // These two start processes to kill them.
    exclude: ['test/checkpoint/kill.test.ts', 'test/run/run-directory.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 120_000,
  },
});
