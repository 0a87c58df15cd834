import { beforeAll } from 'vitest';
import { loadEngine } from '../../src/engine/loader.js';

/** Loads the engine once for the tests of a file. */
export function useEngine(): void {
  beforeAll(async () => {
    await loadEngine('auto', { threads: 1 });
  });
}
