import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { digestsOf, mutualTls, settingsOf, startRun, trainedAlone } from '../kit/hubs.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
let withTls: Awaited<ReturnType<typeof mutualTls>>;
beforeAll(async () => {
  small = await smallRun();
  withTls = await mutualTls(small);
});
afterAll(() => small.remove());

/** One worker has nobody to exchange with. */
const grid = [1, 2, 3, 4, 5].flatMap((members) =>
  [1, 2, 3].flatMap((devices) =>
    (members === 1 ? ['off'] : ['off', 'auto']).flatMap((exchange) =>
      ['plain text', 'TLS'].map((security) => ({ members, devices, exchange, security })),
    ),
  ),
);

describe.each(['float32', 'bfloat16'])('in %s', (precision) => {
  let expected: Awaited<ReturnType<typeof digestsOf>>;
  const settings = [`spec.wire.precision=${precision}`];
  beforeAll(async () => {
    expected = await trainedAlone(small, `one-${precision}`, 1, settings);
  });

  test.each(grid)(
    '$members machines with $devices devices give the bits of one worker, exchange $exchange, $security',
    async ({ members, devices, exchange, security }) => {
      const flags = security === 'TLS' ? withTls : { coordinator: [], worker: [] };
      const name = `grid-${precision}-${members}-${devices}-${exchange}-${security === 'TLS' ? 'tls' : 'plain'}`;
      const { coordinator, workers } = await startRun(
        small,
        [
          ...flags.coordinator,
          ...settingsOf(name, 1, [
            ...settings,
            `spec.operation.exchange=${exchange}`,
            `spec.operation.membership.minWorkers=${members}`,
          ]),
        ],
        Array.from({ length: members }, () => ['--processes', `${devices}`, ...flags.worker]),
      );
      const endings = await Promise.all([coordinator, ...workers].map(({ ended }) => ended));
      for (const { exitCode, stderr } of endings) expect([exitCode, stderr]).toEqual([0, '']);
      const exchanged = coordinator.lines.some(
        ({ message }) => message === 'workers exchange gradients among themselves',
      );
      expect(exchanged).toBe(exchange === 'auto');
      expect(await digestsOf(small, name)).toEqual(expected);
    },
  );
});
