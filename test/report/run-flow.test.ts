import { expect, test } from 'vitest';
import { runFlow } from '../../src/report/reading/run-flow.js';
import type { RunEvent } from '../../src/transport/events/run-event.js';

const event = (second: number, term: number, body: object) =>
  ({
    run: 'small',
    term,
    sequence: 1,
    time: new Date(1000 * second).toISOString(),
    position: { iteration: 0, epoch: 0, step: 0, globalStep: 5, phase: 'train' },
    ...body,
  }) as RunEvent;

test('workers, coordinators and faults of a run that was killed and resumed', () => {
  const flow = runFlow([
    event(10, 1, { type: 'run.started' }),
    event(12, 1, { type: 'worker.joined', worker: 'a' }),
    event(13, 1, { type: 'worker.joined', worker: 'b' }),
    event(14, 1, { type: 'checkpoint.written', checkpoint: 'c', bytes: 1, seconds: 1 }),
    event(15, 1, { type: 'worker.left', worker: 'b', reason: 'its stream ended' }),
    event(16, 1, { type: 'worker.refused', worker: 'x', code: 'X', reason: 'it is another build' }),
    event(20, 2, { type: 'run.resumed' }),
    event(22, 2, { type: 'worker.joined', worker: 'a' }),
    event(24, 2, { type: 'run.interrupted', checkpoint: null }),
    event(26, 3, { type: 'run.resumed' }),
    event(30, 3, { type: 'run.finished', mAP: null, weightsSha256: '', codesSha256: '' }),
  ]);
  expect(flow).toMatchObject({ begun: '1970-01-01T00:00:10.000Z', seconds: 20, terms: 3, checkpoints: 1 });
  expect(flow!.workers).toEqual([
    [0, 0],
    [2, 1],
    [3, 2],
    [5, 1],
    [10, 0],
    [12, 1],
    [14, 0],
    [20, 0],
  ]);
  expect(flow!.happenings.filter(({ isFault }) => isFault)).toEqual([
    { seconds: 6, term: 1, sentence: 'x was refused: it is another build', isFault: true },
    { seconds: 14, term: 2, sentence: 'The run was interrupted, with checkpoint none.', isFault: true },
  ]);
  expect(flow!.happenings.map(({ sentence }) => sentence)).toContain(
    'A coordinator resumed the run after step 5.',
  );
});

test('a run without events', () => {
  expect(runFlow([])).toBeNull();
});
