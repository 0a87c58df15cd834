import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { digestsOf, settingsOf, startRun, trainedAlone } from '../kit/hubs.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
beforeAll(async () => {
  small = await smallRun();
});
afterAll(() => small.remove());

const counts = [1, 2, 3];
/** One worker has nobody to exchange with. */
const grid = counts.flatMap((members) =>
  counts.flatMap((devices) =>
    (members === 1 ? ['off'] : ['off', 'auto']).map((exchange) => ({ members, devices, exchange })),
  ),
);

describe.each(['float32', 'bfloat16'])('in %s', (precision) => {
  let expected: Awaited<ReturnType<typeof digestsOf>>;
  const settings = [`spec.wire.precision=${precision}`];
  beforeAll(async () => {
    expected = await trainedAlone(small, `one-${precision}`, 1, settings);
  });

  test.each(grid)(
    '$members machines with $devices devices give the bits of one worker, exchange $exchange',
    async ({ members, devices, exchange }) => {
      const name = `grid-${precision}-${members}-${devices}-${exchange}`;
      const { coordinator, workers } = await startRun(
        small,
        settingsOf(name, 1, [
          ...settings,
          `spec.operation.exchange=${exchange}`,
          `spec.operation.membership.minWorkers=${members}`,
        ]),
        Array.from({ length: members }, () => ['--processes', `${devices}`]),
      );
      const endings = await Promise.all([coordinator, ...workers].map(({ ended }) => ended));
      for (const { exitCode, stderr } of endings) expect([exitCode, stderr]).toEqual([0, '']);
      expect(await digestsOf(small, name)).toEqual(expected);
    },
  );
});
