import { afterEach, expect, test, vi } from 'vitest';
import { runEncodeJob } from '../../src/coordinator/dispatch/encode-job.js';
import type { Member } from '../../src/coordinator/dispatch/member.js';
import { devicesFrom } from '../../src/coordinator/dispatch/member-devices.js';
import { encodeBatchSize } from '../../src/schedule/encode-batches.js';
import { describedEncodeJob, encodedBytes, payload, type ScriptedWorker } from '../kit/scripted-worker.js';
import { ScriptedWorld } from '../kit/scripted-world.js';

let world: ScriptedWorld;
afterEach(() => world?.close());

/** Workers with so many devices each, by slot. */
async function open(...devices: number[]): Promise<ScriptedWorker[]> {
  world = await ScriptedWorld.open();
  const workers: ScriptedWorker[] = [];
  for (const count of devices) {
    const scripted = await world.joined();
    workers.push(scripted);
    await say(scripted, workers.length - 1, count);
  }
  return workers;
}

async function say(scripted: ScriptedWorker, slot: number, count: number): Promise<void> {
  const devices = Array.from({ length: count }, (_, i) => ({ name: `gpu-${i}`, microbatches: 7 }));
  scripted.send({ heartbeat: { devices } });
  await vi.waitFor(() => expect(world.pool.all()[slot]?.capacity).toBe(count));
}

test('microbatches are shared out by devices', async () => {
  const [three, one] = await open(3, 1);
  const sum = world.step();
  await Promise.all([three!.next('gradientWork'), one!.next('gradientWork')]);
  expect([three!.workReceived(), one!.workReceived()]).toEqual([[[0, 1, 2]], [[3]]]);
  three!.answer({ level: 1, index: 0 }, payload(4, 2));
  three!.answer({ level: 0, index: 2 }, payload(2, 1));
  one!.answer({ level: 0, index: 3 }, payload(2, 1));
  expect((await sum).gradient[0]).toBe(4);
});

test('a worker that has lost devices gets less', async () => {
  const [left, right] = await open(3, 1);
  await say(left!, 0, 1);
  void world.step();
  await Promise.all([left!.next('gradientWork'), right!.next('gradientWork')]);
  expect([left!.workReceived(), right!.workReceived()]).toEqual([[[0, 1]], [[2, 3]]]);
});

test('each device has two encode batches at a time', async () => {
  const [two, one] = await open(2, 1);
  void runEncodeJob(describedEncodeJob(9), () => {}, world.surroundings());
  await Promise.all([two!.next('encodeWork'), one!.next('encodeWork')]);
  const batches = (scripted: ScriptedWorker) =>
    scripted.received.flatMap(({ encodeWork }) => (encodeWork ? [encodeWork.batch] : []));
  await vi.waitFor(() =>
    expect([batches(two!), batches(one!)]).toEqual([
      [0, 1, 2, 3],
      [4, 5],
    ]),
  );
});

test('a worker whose answer is wrong is set aside with the name of its device', async () => {
  const [wrong, right, third] = await open(2, 1, 1);
  const reasons: string[] = [];
  world.pool.on('setAside', (_member, _fault, sentence) => reasons.push(sentence));
  const sum = world.step({ verified: [0] });
  await wrong!.next('gradientWork');
  wrong!.answer({ level: 0, index: 0 }, payload(2, 5), undefined, 5, { device: 'gpu-1' });
  for (const each of [right!, third!]) {
    await expect.poll(() => each.workReceived().flat()).toContain(0);
    each.answer({ level: 0, index: 0 }, payload(2, 1));
  }
  await expect
    .poll(() => reasons)
    .toEqual([
      'its gradients of microbatch 0 of iteration 1, epoch 1, step 1, computed on its device gpu-1, differ from those of the other workers',
    ]);
  sum.catch(() => {});
});

test('so is one whose encode batch is wrong', async () => {
  const [wrong, right, third] = await open(2, 1, 1);
  const reasons: string[] = [];
  world.pool.on('setAside', (_member, _fault, sentence) => reasons.push(sentence));
  const done = runEncodeJob(describedEncodeJob(1, { verified: [0] }), () => {}, world.surroundings());
  const bytes = encodeBatchSize * encodedBytes;
  const { request } = await wrong!.next('encodeWork');
  wrong!.answerEncode(request, 0, bytes, 5, 'gpu-0');
  for (const each of [right!, third!]) {
    await each.next('encodeWork');
    each.answerEncode(request, 0, bytes, 1);
  }
  await done;
  expect(reasons).toEqual([
    'its outputs of images 1 to 64 of the 64 to encode, computed on its device gpu-0, differ from those of the other workers',
  ]);
});

test('workers beyond the devices that a step needs are spare', async () => {
  await open(3, 1, 1);
  const spare = (microbatches: number) => world.pool.beyond(microbatches).map(({ slot }: Member) => slot);
  expect([spare(8), spare(4), spare(3), spare(1)]).toEqual([[], [2], [1, 2], [1, 2]]);
});

test('what a worker says of its devices is bounded', () => {
  const report = (name: string, seconds = 1) => ({
    name,
    device: 'd',
    microbatches: 2,
    computeSeconds: seconds,
    imageWaitSeconds: 0,
  });
  expect(devicesFrom([report('a b', Number.NaN), report('a"b'), report('c')])).toEqual([
    { ...report('a_b'), computeSeconds: 1 },
    report('c'),
  ]);
  const many = Array.from({ length: 100 }, (_, i) => report(`${i}`.padStart(100, 'x')));
  expect(devicesFrom(many)).toHaveLength(1);
  expect(devicesFrom(Array.from({ length: 100 }, (_, i) => report(`${i}`)))).toHaveLength(64);
});
