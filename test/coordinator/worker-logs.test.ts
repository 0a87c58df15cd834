import { expect, test } from 'vitest';
import { WorkerLogs } from '../../src/coordinator/admission/worker-logs.js';
import type { Member } from '../../src/coordinator/dispatch/member.js';

const logs = () => {
  const lines: unknown[] = [];
  let nowMs = 0;
  const write =
    (level: string) =>
    (message: string, fields: object = {}) =>
      void lines.push({ level, message, ...fields });
  const log = { info: write('info'), warn: write('warn'), error: write('error') };
  return { lines, workerLogs: new WorkerLogs(log, () => nowMs), wait: (ms: number) => (nowMs += ms) };
};
const member = (label: string) => ({ label }) as Member;
const line = { level: 'INFO', message: 'hello', fields: '', dropped: 0 } as const;

test('a line keeps its level and stands under the name of its worker', () => {
  const { lines, workerLogs } = logs();
  workerLogs.write(member('worker 0 (a)'), { ...line, level: 'ERROR', fields: '{"path":"x"}' });
  expect(lines).toEqual([
    { level: 'error', message: 'worker log', worker: 'worker 0 (a)', said: 'hello', fields: { path: 'x' } },
  ]);
});

test('lines beyond the rate are dropped and counted, for each worker alone', () => {
  const { lines, workerLogs, wait } = logs();
  const [loud, calm] = [member('loud'), member('calm')];
  for (let i = 0; i < 1_000; i++) workerLogs.write(loud, line);
  workerLogs.write(calm, line);
  expect(lines).toHaveLength(61);
  expect(workerLogs.dropped).toBe(940);
  wait(1_000);
  workerLogs.write(loud, { ...line, dropped: 5 });
  expect(lines.at(-1)).toMatchObject({ worker: 'loud', droppedLines: 945 });
  expect(workerLogs.dropped).toBe(945);
});

test.each(['no json', '[1]', 'null', '7', `{"a":"${'x'.repeat(5_000)}"}`])(
  'fields that are no small JSON object are left out: %.10s',
  (fields) => {
    const { lines, workerLogs } = logs();
    workerLogs.write(member('w'), { ...line, message: 'm'.repeat(2_000), fields });
    expect(lines).toEqual([{ level: 'info', message: 'worker log', worker: 'w', said: 'm'.repeat(1_000) }]);
  },
);
