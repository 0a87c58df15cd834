import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import { RunDirectory } from '../../src/run/run-directory.js';
import { eventsThatCount, parseRunEvent, type RunEvent } from '../../src/transport/events/run-event.js';
import { FileEvents, readEvents } from '../../src/transport/events/run-events.js';
import { temporaryDirectory } from '../run/support.js';

const silent = { info: () => {}, warn: () => {}, error: () => {} };

function event(term: number, sequence: number): RunEvent {
  const position = { iteration: 0, epoch: 0, step: 0, globalStep: 0, phase: 'train' as const };
  const time = '2026-01-31T12:00:00.000Z';
  return { run: 'quick', term, sequence, time, position, type: 'worker.joined', worker: 'worker 0 (a)' };
}

test('the example of the documentation is an event', () => {
  const [, example] = /```json\n([\s\S]*?)```/.exec(readFileSync('docs/events.md', 'utf8'))!;
  expect(parseRunEvent(example!)).toEqual(JSON.parse(example!));
});

test.each([
  ['no JSON', '{"run":'],
  ['an unknown type', JSON.stringify({ ...event(1, 1), type: 'run.exploded' })],
  ['a field that is missing', JSON.stringify({ ...event(1, 1), worker: undefined })],
  ['a term that is none', JSON.stringify(event(0, 1))],
])('%s is no event', (_, text) => {
  expect(parseRunEvent(text)).toBeNull();
});

test('what a lower term says after a higher one, and what is said twice, does not count', () => {
  const said = [event(1, 1), event(1, 2), event(1, 2), event(2, 1), event(1, 3), event(2, 2)];
  expect(eventsThatCount(said)).toEqual([event(1, 1), event(1, 2), event(2, 1), event(2, 2)]);
});

/** Every line of the file, as any reader of JSON lines finds them. */
const linesOf = (directory: RunDirectory) =>
  readFileSync(directory.eventsFile, 'utf8')
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => JSON.parse(line));

test.each([
  ['is cut off', '{"run":"qui', [event(1, 1), event(3, 1)]],
  ['keeps the event that it is', JSON.stringify(event(2, 1)), [event(1, 1), event(2, 1), event(3, 1)]],
])('a last line without its end %s when the run goes on', (_, torn, expected) => {
  const directory = RunDirectory.at(temporaryDirectory());
  new FileEvents(directory, silent).publish(event(1, 1));
  appendFileSync(directory.eventsFile, torn);
  new FileEvents(directory, silent).publish(event(3, 1));
  expect(linesOf(directory)).toEqual(expected);
  expect(readEvents(directory)).toEqual(expected);
});

test('half a line that a full disk left is cut off by the next event', () => {
  const directory = RunDirectory.at(temporaryDirectory());
  const events = new FileEvents(directory, silent);
  events.publish(event(1, 1));
  vi.spyOn(directory, 'appendEvent').mockImplementationOnce(() => {
    appendFileSync(directory.eventsFile, JSON.stringify(event(1, 2)).slice(0, 20));
    throw new Error('ENOSPC');
  });
  events.publish(event(1, 2));
  events.publish(event(1, 3));
  expect(linesOf(directory)).toEqual([event(1, 1), event(1, 3)]);
  expect(events.counts).toEqual({ published: 2, lost: 1 });
});

test('an event that cannot be written is counted, and stops nobody', () => {
  const directory = RunDirectory.at(temporaryDirectory());
  const events = new FileEvents(directory, silent);
  events.publish(event(1, 1));
  writeFileSync(directory.eventsFile, '');
  const gone = new FileEvents(RunDirectory.at(directory.eventsFile), silent);
  gone.publish(event(1, 2));
  expect([events.counts, gone.counts]).toEqual([
    { published: 1, lost: 0 },
    { published: 0, lost: 1 },
  ]);
});
