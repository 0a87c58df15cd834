import { expect, test } from 'vitest';
import type { LogLine } from '../../src/transport/generated/fcaenet/v1/LogLine.js';
import { StreamedLog } from '../../src/worker/streamed-log.js';

const lists = () => {
  const local: string[] = [];
  const sent: LogLine[] = [];
  let nowMs = 0;
  const write = (message: string) => void local.push(message);
  const log = new StreamedLog({ info: write, warn: write, error: write }, () => nowMs);
  return {
    local,
    sent,
    log,
    attach: () => log.attach((line) => sent.push(line)),
    wait: (ms: number) => (nowMs += ms),
  };
};

test('lines go to both logs, with level and fields', () => {
  const { local, sent, log, attach } = lists();
  attach();
  log.info('a', { n: 1 });
  log.warn('b');
  log.error('c');
  expect(local).toEqual(['a', 'b', 'c']);
  expect(sent).toEqual([
    { level: 'INFO', message: 'a', fields: '{"n":1}', dropped: 0 },
    { level: 'WARN', message: 'b', fields: '', dropped: 0 },
    { level: 'ERROR', message: 'c', fields: '', dropped: 0 },
  ]);
});

test('lines wait for a coordinator, the first fifty of them', () => {
  const { local, sent, log, attach, wait } = lists();
  for (let i = 0; i < 60; i++) {
    log.info(`${i}`);
    wait(1_000);
  }
  attach();
  log.info('here');
  expect(local).toHaveLength(61);
  expect(sent.map(({ message }) => message)).toEqual([
    ...Array.from({ length: 50 }, (_, i) => `${i}`),
    'here',
  ]);
  expect(sent.at(-1)!.dropped).toBe(10);
});

test('a flood is cut, and the next line says by how much', () => {
  const { sent, log, attach, wait } = lists();
  attach();
  for (let i = 0; i < 1_000; i++) log.info('again');
  expect(sent).toHaveLength(50);
  wait(1_000);
  log.info('calm');
  expect(sent.at(-1)).toEqual({ level: 'INFO', message: 'calm', fields: '', dropped: 950 });
});

test('long messages are cut, long fields left out', () => {
  const { sent, log, attach } = lists();
  attach();
  log.info('m'.repeat(5_000), { text: 'f'.repeat(5_000) });
  expect(sent[0]!.message).toHaveLength(1_000);
  expect(sent[0]!.fields).toBe('');
});
