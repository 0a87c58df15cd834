import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { StepPhases } from '../../src/coordinator/dispatch/step-phases.js';
import { payload } from '../kit/scripted-worker.js';
import { ScriptedWorld } from '../kit/scripted-world.js';

let world: ScriptedWorld | undefined;
afterEach(() => world?.close());

let nowMs = 0;
const clock = { nowMs: () => nowMs };
const pass = (ms: number) => {
  nowMs += ms;
};

/** Phases of a step in which something happens at the given milliseconds. */
function phasesOf(...events: [atMs: number, event: (phases: StepPhases) => void][]) {
  nowMs = 0;
  const phases = new StepPhases(clock);
  for (const [atMs, event] of events) {
    nowMs = atMs;
    event(phases);
  }
  nowMs = 10_000;
  return phases.seconds();
}

test('every moment of a step belongs to one phase', () => {
  const seconds = phasesOf(
    [1_000, (phases) => phases.sent()],
    [3_000, (phases) => phases.answering()],
    [4_000, (phases) => phases.handle(() => pass(500))],
    [5_000, (phases) => phases.answering()],
    [8_000, (phases) => phases.summed()],
  );
  expect(seconds).toEqual({ pairing: 0, sending: 1, computing: 2, waiting: 4.5, reducing: 0.5, updating: 2 });
});

test('sending begins when the loss over pairs is known', () => {
  const seconds = phasesOf(
    [2_000, (phases) => phases.paired()],
    [3_000, (phases) => phases.sent()],
    [4_000, (phases) => phases.answering()],
    [8_000, (phases) => phases.summed()],
  );
  expect(seconds).toEqual({ pairing: 2, sending: 1, computing: 1, waiting: 4, reducing: 0, updating: 2 });
});

test('what is still being sent when the first answer arrives counts as waiting from then on', () => {
  const seconds = phasesOf(
    [3_000, (phases) => phases.answering()],
    [6_000, (phases) => phases.sent()],
    [8_000, (phases) => phases.summed()],
  );
  expect(seconds).toEqual({ pairing: 0, sending: 3, computing: 0, waiting: 5, reducing: 0, updating: 2 });
});

test('an answer that comes after the sum takes nothing from the phases', () => {
  const seconds = phasesOf(
    [1_000, (phases) => phases.sent()],
    [2_000, (phases) => phases.answering()],
    [3_000, (phases) => phases.summed()],
    [4_000, (phases) => phases.handle(() => pass(5_000))],
  );
  expect(seconds).toEqual({ pairing: 0, sending: 1, computing: 1, waiting: 1, reducing: 0, updating: 7 });
});

test('a step over gRPC passes through all of them', async () => {
  world = await ScriptedWorld.open();
  const workers = [await world.joined(), await world.joined()];
  const began = performance.now();
  const phases = new StepPhases(systemClock);
  const sum = world.step({ phases });
  for (const [index, worker] of workers.entries()) {
    await worker.next('gradientWork');
    await sleep(50);
    worker.answer({ level: 1, index }, payload(4, 1));
  }
  await sum;
  const seconds = phases.seconds();
  const total = Object.values(seconds).reduce((all, each) => all + each, 0);
  expect(total).toBeLessThanOrEqual((performance.now() - began) / 1000);
  expect(total).toBeGreaterThan(0.1);
  expect(seconds.sending).toBeGreaterThan(0);
  expect(seconds.computing).toBeGreaterThan(0.04);
  expect(seconds.waiting).toBeGreaterThan(0.04);
  expect(seconds.reducing).toBeGreaterThan(0);
});
