import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/slow/**', 'test/full/**', 'test/native/**', 'node_modules/**'],
    // Engines hold global state (the TF.js backend) and native threads: one process per file keeps them apart.
    pool: 'forks',
    maxWorkers: 2,
    // Concurrent tests start processes of their own.
    maxConcurrency: 2,
    // Generous: tests of whole runs take seconds, but also end on a machine that is busy with other work.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      exclude: ['src/transport/generated/**'],
      reporter: ['text-summary', 'html'],
      reportsDirectory: '.cache/coverage',
    },
  },
});
