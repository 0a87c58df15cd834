import { beforeAll } from 'vitest';
import { type EngineName, loadEngine } from '../../src/engine/loader.js';

/** Loads the engine once for the tests of a file. */
export function useEngine(): void {
  beforeAll(async () => {
    await loadEngine(testedEngine, { threads: 1 });
  });
}

/** The engine that the tests of the model and the golden tests run on. */
const testedEngine = (process.env.FCAENET_TEST_ENGINE ?? 'auto') as 'auto' | EngineName;
