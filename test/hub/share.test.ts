import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { StepPhases } from '../../src/coordinator/dispatch/step-phases.js';
import { computeShare, shareOf } from '../../src/hub/share.js';
import type { TreeNode } from '../../src/reduction/tree.js';
import type { GradientWork__Output } from '../../src/transport/generated/fcaenet/v1/GradientWork.js';
import { describedStep, payload, type ScriptedWorker } from '../kit/scripted-worker.js';
import { ScriptedWorld } from '../kit/scripted-world.js';

/** Processes of a machine that say what a test tells them to. */
let world: ScriptedWorld;
let first: ScriptedWorker;
let second: ScriptedWorker;

beforeEach(async () => {
  world = await ScriptedWorld.open();
  const [one, other] = await Promise.all(
    ['gpu-0', 'gpu-1'].map(async (workerName) => {
      const scripted = world.stranger();
      await scripted.join({}, { workerName });
      await scripted.next('admitted');
      return scripted;
    }),
  );
  first = one!;
  second = other!;
});
afterEach(() => world.close());

/** What the coordinator says of some of four microbatches of two rows. */
const workOf = (leaves: readonly number[], compared: readonly number[] = []) =>
  ({
    position: { iteration: 0, epoch: 0, step: 0 },
    weightsVersion: 0,
    batchRows: 8,
    microbatches: 4,
    leaves: leaves.map((index) => ({
      index,
      anchors: Buffer.alloc(8),
      positives: Buffer.alloc(0),
      ownCodes: Buffer.alloc(0),
      outputGradient: Buffer.alloc(0),
      exchangedParts: Buffer.alloc(0),
      compared: compared.includes(index),
    })),
    upcomingImages: Buffer.alloc(0),
    upcomingPosition: null,
    exchange: false,
    request: 0,
  }) satisfies GradientWork__Output;

function shareFor(work: GradientWork__Output) {
  const { term, shape, weights, context, strict } = describedStep();
  const request = world.pool.nextRequest();
  const phases = new StepPhases(systemClock);
  return shareOf(work, { term, request, shape, weights, context, phases, strict });
}

/** Answers with one number in every place, to the piece of work whose turn it is. */
function answer(scripted: ScriptedWorker, node: TreeNode, value: number, request = 1): void {
  const rows = 2 * 2 ** node.level;
  scripted.answer(node, payload(rows, value), undefined, value, { request });
}

async function nodesOf(share: ReturnType<typeof computeShare>) {
  return (await share).map(({ node, payload, device, isCompared }) => ({
    node: `${node.level}/${node.index}`,
    value: payload.gradient[0],
    rows: payload.u.length / 12,
    device,
    isCompared,
  }));
}

describe('a machine’s share of a step', () => {
  test('is added over its processes', async () => {
    const share = computeShare(shareFor(workOf([0, 1, 2, 3])), world.surroundings());
    await Promise.all([first.next('gradientWork'), second.next('gradientWork')]);
    expect([first.workReceived(), second.workReceived()]).toEqual([[[0, 1]], [[2, 3]]]);
    answer(second, { level: 1, index: 1 }, 2);
    answer(first, { level: 1, index: 0 }, 1);
    expect(await nodesOf(share)).toEqual([{ node: '2/0', value: 3, rows: 8, device: '', isCompared: false }]);
  });

  test('is the fewest nodes, and each names its device where that is one', async () => {
    const share = computeShare(shareFor(workOf([1, 2, 3])), world.surroundings());
    await Promise.all([first.next('gradientWork'), second.next('gradientWork')]);
    expect([first.workReceived(), second.workReceived()]).toEqual([[[1, 2]], [[3]]]);
    answer(first, { level: 0, index: 1 }, 1);
    answer(first, { level: 0, index: 2 }, 2);
    answer(second, { level: 0, index: 3 }, 4);
    expect(await nodesOf(share)).toEqual([
      { node: '0/1', value: 1, rows: 2, device: 'gpu-0', isCompared: false },
      { node: '1/1', value: 6, rows: 4, device: '', isCompared: false },
    ]);
  });

  test('is marked where it is a microbatch that is compared', async () => {
    const share = computeShare(shareFor(workOf([2], [2])), world.surroundings());
    expect(await first.next('gradientWork')).toMatchObject({ leaves: [{ index: 2, compared: true }] });
    answer(first, { level: 0, index: 2 }, 1);
    expect(await nodesOf(share)).toMatchObject([{ node: '0/2', device: 'gpu-0', isCompared: true }]);
  });

  test('is computed by the others when a process is lost', async () => {
    const share = computeShare(shareFor(workOf([0, 1])), world.surroundings());
    await Promise.all([first.next('gradientWork'), second.next('gradientWork')]);
    answer(second, { level: 0, index: 1 }, 2);
    first.leave();
    await expect.poll(() => second.workReceived()).toEqual([[1], [0]]);
    answer(second, { level: 0, index: 0 }, 1);
    expect(await nodesOf(share)).toMatchObject([{ node: '1/0', value: 3, device: 'gpu-1' }]);
  });

  test('is not mixed with another piece of the same step, which goes to the idle process', async () => {
    const pieces = [[0], [1]].map((leaves) => computeShare(shareFor(workOf(leaves)), world.surroundings()));
    await Promise.all([first.next('gradientWork'), second.next('gradientWork')]);
    expect([first.workReceived(), second.workReceived()]).toEqual([[[0]], [[1]]]);
    answer(second, { level: 0, index: 1 }, 2, 2);
    answer(first, { level: 0, index: 0 }, 1, 1);
    expect(await Promise.all(pieces.map(nodesOf))).toMatchObject([
      [{ node: '0/0', value: 1 }],
      [{ node: '0/1', value: 2 }],
    ]);
  });

  test('ends with the session', async () => {
    const ended = new AbortController();
    const share = computeShare(shareFor(workOf([0])), world.surroundings(undefined, ended.signal));
    ended.abort(new Error('the session is over'));
    await expect(share).rejects.toThrow('the session is over');
  });
});

test('each process loads the images of its own part of the next step', () => {
  const work = workOf([1, 2]);
  for (const leaf of work.leaves) leaf.positives = Buffer.alloc(8);
  const upcomingImages = Buffer.from(Uint32Array.of(10, 11, 20, 21, 110, 111, 120, 121).buffer);
  const upcomingPosition = { iteration: 0, epoch: 0, step: 1 };
  const imagesFor = (changed: Partial<GradientWork__Output>, leaves: readonly number[]) => {
    const upcoming = shareFor({ ...work, upcomingImages, upcomingPosition, ...changed }).step.upcoming(
      leaves,
    );
    return upcoming && [...new Uint32Array(upcoming.images.slice().buffer)];
  };
  expect(imagesFor({}, [2])).toEqual([20, 21, 120, 121]);
  expect(imagesFor({}, [1, 2])).toEqual([10, 11, 20, 21, 110, 111, 120, 121]);
  // The last batch of an epoch is smaller.
  expect(imagesFor({ upcomingImages: Buffer.alloc(12) }, [1])).toBeNull();
  expect(imagesFor({ upcomingPosition: null }, [1])).toBeNull();
});

test('a microbatch that the batch does not have is refused', () => {
  expect(() => shareFor(workOf([4]))).toThrow('has no microbatch 4 with rows');
});
