/** Mutation tests of the folder that FCAENET_MUTATED names: `npm run test:mutation`. */
const folder = process.env.FCAENET_MUTATED;

export default {
  mutate: [`src/${folder}/**/*.ts`],
  testRunner: 'vitest',
  vitest: { configFile: 'vitest.unit.config.ts' },
  plugins: ['@stryker-mutator/vitest-runner'],
  coverageAnalysis: 'perTest',
  // Tests of the kernels use vectors long enough to fill a processor.
  concurrency: 1,
  // A mutant that never ends is found by this; with less, a busy machine makes others look like it.
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
  jsonReporter: { fileName: `.cache/mutation/${folder}.json` },
};
