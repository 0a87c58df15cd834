import { defineConfig } from 'vitest/config';

/** What takes minutes: `npm run test:full`. */
export default defineConfig({
  test: {
    include: ['test/full/**/*.test.ts'],
    pool: 'forks',
    // Each test starts processes of its own, as many as a machine of two cores can bear.
    maxWorkers: 1,
    maxConcurrency: 2,
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
