import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Console } from '../../src/console/console.js';
import { carryOutOn } from '../../src/experiments/carry-out-on.js';
import { plan } from './support.js';

test('the progress of an experiment ends with as many runs as it has', async () => {
  const output = mkdtempSync(join(tmpdir(), 'fcaenet-progress-'));
  const shown: number[] = [];
  const failed: unknown[] = [];
  const console: Console = {
    log: { info: () => {}, warn: () => {}, error: (_, fields) => void failed.push(fields?.reason) },
    isTerminal: false,
    lostLines: 0,
    startTask: () => ({ update: (done) => void shown.push(done), hold: () => {}, finish: () => {} }),
    close: () => {},
  };
  try {
    // No dataset is there, so each run ends at once.
    const { cells } = plan({ output, bits: [12], seedCount: 1, equalities: ['steps'] });
    await carryOutOn(
      console,
      cells,
      { classes: 2, train: 40, test: 10 },
      { name: 'table', onStates: () => {}, endsAll: () => false },
    );
    expect(failed).toEqual(cells.map(() => expect.stringMatching(/folder data /)));
    expect(shown).toEqual([0, 1, 1, 2, 2, 3]);
  } finally {
    rmSync(output, { recursive: true });
  }
});
