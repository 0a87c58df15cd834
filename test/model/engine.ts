import { beforeAll } from 'vitest';
import { loadEngine } from '../../src/engine/loader.js';
import type { EngineName } from '../../src/run/training-run.js';

/** Loads the engine once for the tests of a file. */
export function useEngine(): void {
  beforeAll(async () => {
    await loadEngine(testedEngine, { threads: 1 });
  });
}

/** The engine that the tests of the model and the golden tests run on. */
const testedEngine = (process.env.FCAENET_TEST_ENGINE ?? 'auto') as 'auto' | EngineName;
