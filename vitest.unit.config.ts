import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { plainTests, settings } from './vitest.settings.js';

/** Of the tests below, those of the folder whose mutants are tried. */
const mutated = process.env.FCAENET_MUTATED;

/** A mutant's tests end with the first that fails, so the short files come first. */
class ShortestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).reverse();
  }
}

/** Tests that start no process and open no port: `npm run test:unit`, and what mutants are tried on. */
export default defineConfig({
  test: {
    ...settings,
    include: mutated === undefined ? plainTests : [`test/${mutated}/**/*.test.ts`],
    setupFiles: mutated === 'hashing' || mutated === 'reduction' ? ['test/kit/short-properties.ts'] : [],
    sequence: mutated === undefined ? {} : { sequencer: ShortestFirst },
    // One process loads the modules of all files once. Each mutant has its own.
    isolate: false,
    // A mutant may make a test wait for what never comes.
    ...(mutated === undefined ? {} : { testTimeout: 60_000 }),
  },
});
