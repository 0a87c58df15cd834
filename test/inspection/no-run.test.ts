import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { openConsole } from '../../src/console/console.js';
import { auditRun } from '../../src/inspection/audit.js';
import { evaluateRun } from '../../src/inspection/evaluate-run.js';
import { compareRuns } from '../../src/inspection/runs/compare-runs.js';

const console = openConsole('beside', new PassThrough(), {});
const place = { runDirectory: 'runs/none', data: undefined, workers: undefined };

test.each([
  ['audit', () => auditRun({ ...place, log: console.log })],
  ['evaluate', () => evaluateRun({ ...place, console })],
  ['runs compare', () => compareRuns('runs/none', 'runs/none-too')],
])('%s names the folder that is no run, not a file in it', async (_, read) => {
  await expect(read()).rejects.toMatchObject({
    code: 'INFERENCE_NO_RUN',
    exitCode: 66,
    message:
      'runs/none is not the directory of a run: it has no run.yaml, expected a directory such as runs/quick',
  });
});
