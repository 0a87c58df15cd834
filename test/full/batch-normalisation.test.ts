import { afterAll, beforeAll, expect, test } from 'vitest';
import { trainedAlone } from '../kit/hubs.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
beforeAll(async () => {
  small = await smallRun();
});
afterAll(() => small.remove());

const positives = 'spec.batchNormalisation.positives=apart';
const anchors = 'spec.batchNormalisation.runningStatistics=anchors';
const half = 'spec.batchNormalisation.momentum=0.5';
const short = 'spec.schedule.epochs=1';

test('each setting gives a run other bits', async () => {
  const usual = await trainedAlone(small, 'usual', 1, [short]);
  const apart = await trainedAlone(small, 'apart', 1, [short, positives]);
  const moved = await trainedAlone(small, 'anchors', 1, [short, anchors]);
  const faster = await trainedAlone(small, 'half', 1, [short, half]);
  expect(new Set([usual, apart, moved, faster].map(({ weightsSha256 }) => weightsSha256)).size).toBe(4);
});
