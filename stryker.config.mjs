/** Mutation tests: `npm run test:mutation`, and of one folder `npm run test:mutation -- -m 'src/ledger/**'`. */
export default {
  mutate: ['src/{reduction,ledger,hashing,checkpoint}/**/*.ts'],
  testRunner: 'vitest',
  vitest: { configFile: 'vitest.unit.config.ts' },
  plugins: ['@stryker-mutator/vitest-runner'],
  coverageAnalysis: 'perTest',
  // Tests of the kernels use vectors long enough to fill a processor.
  concurrency: 1,
  // A mutant that never ends is found by this; less, and a busy machine makes others look like it.
  timeoutMS: 60_000,
  thresholds: { high: 95, low: 85, break: 85 },
  // TypeScript 7 has no programming interface for settings yet, and nothing in them names a place outside the copy.
  tsconfigFile: 'none',
  // The copy of the project needs nothing that is built or only read by people.
  ignorePatterns: [
    '/dist',
    '/native',
    '/runs',
    '/data',
    '/bench',
    '/.cache',
    '/deploy',
    '/docs',
    '/dashboards',
  ],
  tempDirName: '.cache/stryker',
  reporters: ['clear-text', 'json', 'progress-append-only'],
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  jsonReporter: { fileName: '.cache/mutation/report.json' },
};
