import { afterAll, beforeAll, expect, test } from 'vitest';
import { childrenOf, digestsOf, settingsOf, startRun, trainedAlone } from '../kit/hubs.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
beforeAll(async () => {
  small = await smallRun();
});
afterAll(() => small.remove());

test('a device and then a whole machine are lost, and the bits are the same', async () => {
  const expected = await trainedAlone(small, 'one', 3);
  const { coordinator, workers } = await startRun(small, settingsOf('hubs', 3), [
    ['--processes', '2'],
    ['--processes', '2'],
  ]);
  const [first, second] = workers as [(typeof workers)[0], (typeof workers)[0]];
  await coordinator.line('workers exchange gradients among themselves');
  const [device] = childrenOf(first.pid);
  process.kill(device!, 'SIGKILL');
  await coordinator.line('worker log', ({ worker, said }) => {
    return `${worker}`.endsWith('(machine-0)') && said === 'worker left';
  });
  const isLater = ({ name }: Record<string, unknown>) => Number(`${name}`.slice(-10)) >= 8;
  await coordinator.line('checkpoint written', isLater);
  second.kill('SIGKILL');
  expect(await coordinator.ended).toMatchObject({ exitCode: 0, stderr: '' });
  expect(await first.ended).toMatchObject({ exitCode: 0, stderr: '' });
  expect(await digestsOf(small, 'hubs')).toEqual(expected);
});
