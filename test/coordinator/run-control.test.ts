import { expect, test } from 'vitest';
import { RunControl, type RunControlHooks } from '../../src/coordinator/leadership/run-control.js';
import { startPosition } from '../../src/schedule/schedule.js';
import { runView } from '../kit/run-views.js';

const schedule = { iterations: 7, epochs: 4, stepsPerEpoch: 16 };

function control(workers: { slot: number; name: string; state: string; devices: number }[] = []) {
  const calls: string[] = [];
  const controller = new AbortController();
  const hooks: RunControlHooks = {
    run: 'quick',
    term: 2,
    describe: () => ({ position: startPosition, schedule, workers, mAP: null, checkpoint: null }),
    view: () => runView({ run: 'quick' }),
    checkpoint: async () => 'term-000002-step-0000000007',
    stop: () => controller.abort(new Error('stopped')),
    drain: (worker) => worker === 'local-0',
    onPaused: () => calls.push('paused'),
    onContinued: () => calls.push('continued'),
    signal: controller.signal,
  };
  return { calls, control: new RunControl(hooks) };
}

const worker = { slot: 0, name: 'local-0', state: 'ready', devices: 1 };

test('status tells waiting from running', async () => {
  expect(await control().control.answer({ command: 'status' })).toEqual({
    ok: true,
    run: 'quick',
    term: 2,
    state: 'waiting',
    position: startPosition,
    schedule,
    workers: [],
    mAP: null,
    checkpoint: null,
  });
  const running = await control([worker]).control.answer({ command: 'status' });
  expect(running).toMatchObject({ state: 'running', workers: [worker] });
});

test('a run that is not paused does not wait; a paused one holds before the next step until it is resumed', async () => {
  const { control: run, calls } = control([worker]);
  await run.beforeStep();
  expect(await run.answer({ command: 'pause' })).toMatchObject({ state: 'pausing' });
  let held = true;
  const step = run.beforeStep().then(() => {
    held = false;
  });
  expect(await run.answer({ command: 'pause' })).toMatchObject({ state: 'paused' });
  expect([held, calls]).toEqual([true, ['paused']]);
  expect(await run.answer({ command: 'resume' })).toMatchObject({ state: 'running' });
  await step;
  expect(calls).toEqual(['paused', 'continued']);
});

test('a paused run can be stopped', async () => {
  const { control: run, calls } = control([worker]);
  await run.answer({ command: 'pause' });
  const step = run.beforeStep();
  expect(await run.answer({ command: 'stop' })).toMatchObject({ state: 'stopping' });
  await expect(step).rejects.toThrow('stopped');
  expect(calls).toEqual(['paused']);
});

test('view is everything that the page shows', async () => {
  expect(await control().control.answer({ command: 'view' })).toMatchObject({
    ok: true,
    term: 2,
    view: { run: 'quick', state: 'training' },
  });
});

test('checkpoint names what it wrote; drain knows its workers', async () => {
  const { control: run } = control([worker]);
  expect(await run.answer({ command: 'checkpoint' })).toMatchObject({
    checkpoint: 'term-000002-step-0000000007',
  });
  expect(await run.answer({ command: 'drain', worker: 'local-0' })).toMatchObject({ worker: 'local-0' });
  expect(await run.answer({ command: 'drain', worker: '9' })).toEqual({
    ok: false,
    code: 'CONTROL_NO_SUCH_WORKER',
    message: 'there is no worker 9; status lists them by slot and name',
  });
});
