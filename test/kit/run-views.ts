import { LossCurve } from '../../src/live/loss-curve.js';
import { type RunView, type ViewState, viewStates } from '../../src/live/view.js';

const started = Date.parse('2026-03-01T09:00:00Z');

/** A view of a run in the middle of its training, with two workers. */
export function runView(changes: Partial<RunView> = {}): RunView {
  const iterations = 7;
  const [epochs, stepsPerEpoch] = [4, 16];
  const done = changes.iteration ?? 3;
  const iterationsDone = Array.from({ length: done }, (_, at) => ({
    iteration: at + 1,
    losses: { similarity: 14 / (at + 1), quantisation: 2.5 / (at + 1), positive: 0.6, augmented: 0.4 },
    mAP: 0.9 * (1 - Math.exp(-(at + 1) / 3)),
  }));
  const losses = new LossCurve(['similarity', 'quantisation', 'positive', 'augmented']);
  const globalStep = done * epochs * stepsPerEpoch + 1 * stepsPerEpoch + 5;
  for (let step = 1; step <= globalStep; step++) {
    const wave = 1 + 0.1 * Math.sin(step);
    losses.add(step, [(14 / (1 + step / 60)) * wave, (2.5 / (1 + step / 60)) * wave, 0.6 * wave, 0.4 * wave]);
  }
  const mAP = iterationsDone.at(-1)?.mAP ?? null;
  return {
    run: 'cub-48bits',
    term: 1,
    state: 'training',
    reason: null,
    waitsFor: null,
    method: 'fcaenet',
    bits: 48,
    backbone: 'mobilenet_v1',
    seed: 7,
    settings: { 'spec.method': 'fcaenet', 'spec.bits': 48, 'spec.schedule.learningRate': 0.01 },
    iteration: done,
    iterations,
    epochs,
    stepsPerEpoch,
    position: { epoch: 1, step: 5, globalStep, phase: 'train' },
    activity: null,
    secondsLeft: 754,
    imagesPerSecond: 412.7,
    seconds: 615,
    mAP,
    bestMAP: mAP,
    iterationsDone,
    losses: losses.view(),
    workers: [worker(0, 'local-0'), worker(1, 'gpu-node-7.example.internal')],
    events: [
      event(1, 'run.started', 'the run started'),
      event(2, 'worker.joined', 'worker 0 (local-0) joined'),
      event(
        3,
        'worker.left',
        'worker 2 (spot-3) left: its connection ended without a word, after 61 s of silence',
      ),
      event(4, 'checkpoint.written', 'checkpoint term-000001-step-0000000192 is written'),
    ],
    checkpoints: [
      { name: 'term-000001-step-0000000128', writtenMs: started + 400_000 },
      { name: 'term-000001-step-0000000192', writtenMs: started + 600_000 },
    ],
    control: false,
    ...changes,
  };
}

/** For each state, a run that is in it. */
export const viewOfState: Readonly<Record<ViewState, () => RunView>> = {
  ...(Object.fromEntries(viewStates.map((state) => [state, () => runView({ state })])) as Record<
    ViewState,
    () => RunView
  >),
  waiting: () =>
    runView({
      state: 'waiting',
      iteration: 0,
      mAP: null,
      bestMAP: null,
      losses: new LossCurve([]).view(),
      workers: [],
      waitsFor: 'for 2 more workers (0 of 2 are there), since 2026-03-01T09:00:00Z',
      checkpoints: [],
      secondsLeft: null,
      imagesPerSecond: null,
      position: { epoch: 0, step: 0, globalStep: 0, phase: 'train' },
    }),
  evaluating: () =>
    runView({
      state: 'evaluating',
      activity: { what: 'queries', done: 640, total: 1452 },
      position: { epoch: 4, step: 0, globalStep: 256, phase: 'evaluate' },
    }),
  paused: () => runView({ state: 'paused', waitsFor: 'to be continued' }),
  finished: () =>
    runView({
      state: 'finished',
      iteration: 7,
      secondsLeft: null,
      position: { epoch: 0, step: 0, globalStep: 448, phase: 'train' },
    }),
  failed: () =>
    runView({
      state: 'failed',
      secondsLeft: null,
      reason:
        'the gradient of step 214 is not finite: the parameter conv1/kernel has NaN in 12 of 864 values',
    }),
};

function worker(slot: number, name: string): RunView['workers'][number] {
  return {
    slot,
    name,
    state: slot === 0 ? 'computing' : 'ready',
    device: slot === 0 ? 'cpu' : 'NVIDIA H100 80GB HBM3',
    engine: slot === 0 ? 'onednn 2.6' : 'tensorflow 2.18',
    imagesPerSecond: slot === 0 ? 96.2 : 316.5,
    answerSeconds: 0.167,
    overdue: slot,
    lastHeardMs: Date.now() - 1_000,
  };
}

function event(sequence: number, type: string, text: string): RunView['events'][number] {
  return { term: 1, sequence, type, text, time: new Date(started + sequence * 100_000).toISOString() };
}
