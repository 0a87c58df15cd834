import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Of the tests below, those of the folder whose mutants are tried. */
const mutated = process.env.FCAENET_MUTATED;
const folders = mutated ?? '{checkpoint,data,estimate,hashing,ledger,reduction,retrieval,run,schedule}';

/** A mutant's tests end with the first that fails, so the short files come first. */
class ShortestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).reverse();
  }
}

/** Tests that start no process and open no port: `npm run test:unit`, and what mutants are tried on. */
export default defineConfig({
  test: {
    include: [`test/${folders}/**/*.test.ts`],
    // It starts processes to kill them.
    exclude: ['test/run/run-directory.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    setupFiles: mutated === 'hashing' || mutated === 'reduction' ? ['test/kit/short-properties.ts'] : [],
    sequence: mutated === undefined ? {} : { sequencer: ShortestFirst },
    // One thread for all files of a mutant, so that it loads modules once. Each mutant has its own.
    isolate: mutated === undefined,
    // A mutant may make a test wait for what never comes.
    testTimeout: mutated === undefined ? 120_000 : 60_000,
  },
});
