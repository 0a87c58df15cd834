import { expect, test } from 'vitest';
import type { Waiting } from '../../src/coordinator/dispatch/pool.js';
import type { RunStatus } from '../../src/coordinator/leadership/run-control.js';
import type { CoordinatorEvent } from '../../src/coordinator/monitoring/coordinator-event.js';
import { LiveRun } from '../../src/coordinator/monitoring/live-run.js';
import { RemainingTime } from '../../src/coordinator/monitoring/remaining-time.js';
import type { IterationRecord } from '../../src/coordinator/training/run-state.js';
import { readTrainingRun } from '../../src/run/read.js';
import { startPosition } from '../../src/schedule/schedule.js';
import type { RunEvent, RunEventBody } from '../../src/transport/events/run-event.js';
import { unconnectedMember } from '../kit/unconnected-member.js';

const run = readTrainingRun('examples/quick.yaml');

/** A coordinator's run whose sources a test changes. */
class World {
  state = { position: startPosition, history: [] as IterationRecord[], seconds: 12.4, images: 0 };
  nowMs = 50_000;
  waiting: Waiting | null = null;
  control: RunStatus['state'] | null = null;
  members = [unconnectedMember(0, 'local-0'), unconnectedMember(1, 'far')];
  events: RunEvent[] = [];
  readonly live;

  constructor() {
    this.live = new LiveRun({
      run,
      term: 2,
      stepsPerEpoch: 16,
      state: this.state,
      restoredFrom: { name: 'term-000001-step-0000000064', created: new Date(1_000) },
      remaining: new RemainingTime(run.spec, 16),
      clock: { nowMs: () => this.nowMs, date: () => new Date(1_800_000_000_000 + this.nowMs) },
      members: () => this.members,
      waiting: () => this.waiting,
      events: () => this.events,
      controlState: () => this.control,
      control: false,
    });
  }

  step(globalStep: number, seconds = 2): void {
    this.state.position = { ...this.state.position, globalStep };
    const step = { losses: Float64Array.of(4, 3, 2, 1), seconds, images: 128 };
    this.live.take({ type: 'step.done', ...step, phases: {} } as unknown as CoordinatorEvent);
  }

  happened(body: RunEventBody, term = 2): void {
    const { iteration, epoch, step, globalStep, phase } = this.state.position;
    const position = { iteration, epoch, step, globalStep, phase };
    const sequence = this.events.length + 1;
    const time = new Date(0).toISOString();
    this.events.push({ run: 'quick', term, sequence, time, position, ...body });
  }
}

test('a run waits for workers, prepares, trains, makes codes and evaluates', () => {
  const world = new World();
  const now = () => [world.live.view().state, world.live.view().waitsFor];
  world.waiting = { present: 1, needed: 3, since: new Date(0) };
  expect(now()).toEqual(['waiting', 'for 2 more workers (1 of 3 are there), since 1970-01-01T00:00:00Z']);
  world.waiting = null;
  world.live.take({ type: 'untrained.begun' });
  world.live.take({ type: 'encoding', what: 'untrained features', done: 5, total: 9 });
  expect(world.live.view()).toMatchObject({
    state: 'preparing',
    activity: { what: 'untrained features', done: 5, total: 9 },
  });
  world.live.take({ type: 'encoding', what: 'untrained features', done: 9, total: 9 });
  world.live.take({ type: 'untrained.measured', figures: { colorHistogram: 0.1, randomProjection: 0.2 } });
  expect(world.live.view()).toMatchObject({ state: 'training', activity: null });
  world.state.position = { ...startPosition, epoch: 4 };
  expect(now()).toEqual(['evaluating', null]);
  world.state.position = { ...startPosition, phase: 'evaluate' };
  expect(now()).toEqual(['evaluating', null]);
});

test('what was asked for goes before what the run does', () => {
  const world = new World();
  for (const state of ['pausing', 'paused', 'stopping'] as const) {
    world.control = state;
    expect(world.live.view()).toMatchObject({
      state,
      waitsFor: state === 'paused' ? 'to be continued' : null,
    });
  }
  world.control = 'running';
  expect(world.live.view().state).toBe('training');
});

test('the end of this term is the run’s, that of an earlier term is not', () => {
  const world = new World();
  world.happened({ type: 'run.failed', code: 'X', reason: 'of old' }, 1);
  expect(world.live.view()).toMatchObject({ state: 'training', reason: null });
  world.live.take({ type: 'encoding', what: 'queries', done: 5, total: 9 });
  expect(world.live.view().activity).toEqual({ what: 'queries', done: 5, total: 9 });
  world.happened({ type: 'run.failed', code: 'X', reason: 'the disk is full' });
  world.control = 'stopping';
  world.waiting = { present: 0, needed: 1, since: new Date(0) };
  expect(world.live.view()).toMatchObject({
    state: 'failed',
    reason: 'the disk is full',
    waitsFor: null,
    activity: null,
    secondsLeft: null,
  });
  expect(world.live.view().events.map(({ text }) => text)).toEqual([
    'the run failed: of old',
    'the run failed: the disk is full',
  ]);
});

test('steps and iterations become curves, with the precision of the evaluations', () => {
  const world = new World();
  world.state.history.push(
    { iteration: 1, learningRate: 1, losses: [8, 4, 2, 1], flippedBits: 3, evaluation: null },
    {
      iteration: 2,
      learningRate: 1,
      losses: [6, 3, 2, 1],
      flippedBits: 3,
      evaluation: { queries: 9, mAP: 0.25, tieAveragedMAP: 0.2, precisionAt: {} },
    },
  );
  world.step(129);
  world.step(130);
  const view = world.live.view();
  expect(view).toMatchObject({
    run: 'quick',
    term: 2,
    method: 'fcaenet',
    bits: 24,
    imagesPerSecond: 64,
    seconds: 12,
    mAP: 0.25,
    bestMAP: 0.25,
    losses: { steps: [129, 130], terms: { similarity: [4, 4], augmented: [1, 1] } },
    checkpoints: [{ name: 'term-000001-step-0000000064', writtenMs: 1_000 }],
  });
  expect(view.iterationsDone.map(({ mAP }) => mAP)).toEqual([null, 0.25]);
  expect(view.settings['spec.bits']).toBe(24);
  expect(JSON.stringify(view)).not.toContain(run.spec.dataset.path);
});

test('the speed is that of the last step while the run trains, and that of the whole run when it is finished', () => {
  const world = new World();
  const speed = () => world.live.view().imagesPerSecond;
  expect(speed()).toBeNull();
  world.step(1);
  expect(speed()).toBe(64);
  for (const [state, expected] of [
    ['pausing', 64],
    ['paused', null],
    ['running', 64],
    ['stopping', 64],
  ] as const) {
    world.control = state;
    expect(speed(), state).toBe(expected);
  }
  world.control = null;
  world.waiting = { present: 0, needed: 1, since: new Date(0) };
  expect(speed(), 'waiting').toBeNull();
  world.waiting = null;
  world.state.position = { ...startPosition, phase: 'evaluate' };
  expect(speed(), 'evaluating').toBeNull();
  Object.assign(world.state, { images: 1_240 });
  world.happened({ type: 'run.finished', mAP: 0.5 } as RunEventBody);
  expect(speed(), 'finished').toBe(100);
});

test('a checkpoint that replaces one of the same step is shown once, the last ten in all', () => {
  const world = new World();
  const written = (step: number) =>
    world.live.take({ type: 'checkpoint.written', name: `step-${step}` } as CoordinatorEvent);
  for (const step of [64, 128, 128]) written(step);
  const names = () => world.live.view().checkpoints.map(({ name }) => name);
  expect(names()).toEqual(['term-000001-step-0000000064', 'step-64', 'step-128']);
  expect(world.live.view().checkpoints.at(-1)!.writtenMs).toBe(1_800_000_050_000);
  for (let step = 129; step <= 137; step++) written(step);
  expect(names()).toEqual(Array.from({ length: 10 }, (_, at) => `step-${128 + at}`));
});

test('the pace of each worker is that of the last seconds, in images', () => {
  const world = new World();
  const answer = (at: number, microbatches: number) =>
    world.members[at]!.tally.answered({
      microbatches,
      turnaroundSeconds: 0.5 * microbatches,
      computeSeconds: 0,
      imageWaitSeconds: 0,
    });
  answer(0, 1_000);
  world.step(1);
  expect(world.live.view().workers.map(({ imagesPerSecond }) => imagesPerSecond)).toEqual([null, null]);
  for (let second = 1; second <= 60; second++) {
    world.nowMs += 1_000;
    // A microbatch has a fourth of the step's 128 images.
    answer(0, 3);
    if (second > 40) answer(1, 1);
    world.step(second);
  }
  expect(world.live.view().workers).toEqual([
    expect.objectContaining({
      slot: 0,
      name: 'local-0',
      imagesPerSecond: 96,
      answerSeconds: 0.5,
      device: null,
    }),
    expect.objectContaining({ slot: 1, name: 'far', imagesPerSecond: 32, answerSeconds: 0.5, overdue: 0 }),
  ]);
});

test('however long the run, its view stays small', () => {
  const world = new World();
  world.members = Array.from({ length: 1_024 }, (_, slot) =>
    unconnectedMember(slot, `w${slot}`.padEnd(100, 'x')),
  );
  for (let step = 1; step <= 5_000; step++) world.step(step);
  for (let at = 1; at <= 2_000; at++) {
    world.state.history.push({
      iteration: at,
      learningRate: 1,
      losses: [1 / 3, 1 / 7, 1 / 9, 1 / 11],
      flippedBits: 1,
      evaluation: { queries: 1, mAP: 1 / at, tieAveragedMAP: 0, precisionAt: {} },
    });
    world.happened({ type: 'worker.joined', worker: 'w'.repeat(120) });
    world.live.take({ type: 'checkpoint.written', name: `c${at}`, bytes: 1, seconds: 1 } as CoordinatorEvent);
  }
  expect(JSON.stringify(world.live.view()).length).toBeLessThan(500_000);
});
