import { defineConfig } from 'vitest/config';
import { plainTests, settings, sharedTests } from './vitest.settings.js';

export default defineConfig({
  test: {
    ...settings,
    projects: [
      // One process loads the modules of all these files once.
      { extends: true, test: { name: 'plain', include: plainTests, isolate: false } },
      { extends: true, test: { name: 'shared', include: sharedTests, isolate: false } },
      {
        extends: true,
        test: {
          name: 'others',
          include: ['test/**/*.test.ts'],
          // Engines hold global state (the TF.js backend) and native threads: one process per file keeps them apart.
          exclude: [...plainTests, ...sharedTests, 'test/{slow,full,native}/**', 'node_modules/**'],
        },
      },
    ],
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      exclude: ['src/transport/generated/**'],
      reporter: ['text-summary', 'html'],
      reportsDirectory: '.cache/coverage',
    },
  },
});
