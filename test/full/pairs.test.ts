import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { networkMakesDatabase } from '../../src/methods/methods.js';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
beforeAll(async () => {
  small = await smallRun();
});
afterAll(() => small.remove());

const flags = (name: string, method: string, settings: readonly string[] = []) =>
  [`metadata.name=${name}`, `spec.method=${method}`, ...settings].flatMap((setting) => ['--set', setting]);

async function finished(...args: string[]) {
  const { exitCode, stderr, lines } = await runCommandLine(args, { cwd: small.folder });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return lines;
}

async function result(name: string) {
  const { weightsSha256, codesSha256, mAP, precisionAt, history } = await small.result(name);
  return { weightsSha256, codesSha256, mAP, precisionAt, history };
}

async function train(name: string, method: string, workers: number, settings: readonly string[] = []) {
  await finished('train', small.runFile, '--workers', String(workers), ...flags(name, method, settings));
  return result(name);
}

describe.each(['adsh', 'dpsh', 'dsh', 'hashnet', 'fph', 'dash', 'exchnet'] as const)(
  '%s gives the bits of one worker',
  (method) => {
    let one: Awaited<ReturnType<typeof result>>;
    beforeAll(async () => {
      one = await train(`${method}-1`, method, 1);
    });

    test('on two and three workers, every microbatch of both phases compared', async () => {
      for (const workers of [2, 3]) {
        const name = `${method}-${workers}`;
        expect(await train(name, method, workers, ['spec.operation.verification.rate=1'])).toEqual(one);
      }
    });

    test.each(['SIGINT', 'SIGKILL'] as const)('after %s inside an iteration', async (signal) => {
      const name = `${method}-${signal.toLowerCase()}`;
      const args = ['train', small.runFile, '--workers', '2', ...flags(name, method)];
      const first = new CommandLine(args, { cwd: small.folder });
      // The second iteration has begun, and each of its steps has a checkpoint.
      await first.line('evaluated');
      first.kill(signal);
      await first.ended;
      await finished(...args, '--resume');
      expect(await result(name)).toEqual(one);
    });

    test('in the exchange of gradients', async () => {
      const name = `${method}-exchange`;
      const coordinator = new CommandLine(
        [
          ...['coordinator', small.runFile],
          ...flags(name, method, ['spec.operation.membership.minWorkers=2']),
        ],
        { cwd: small.folder },
      );
      const { address } = await coordinator.line('waiting for workers');
      const join = ['worker', '--connect', String(address), '--data', 'data', '--cache', 'cache'];
      const workers = ['a', 'b'].map(
        (worker) => new CommandLine([...join, '--name', worker], { cwd: small.folder }),
      );
      await coordinator.line('workers exchange gradients among themselves');
      const all = [coordinator, ...workers];
      for (const { ended } of all) expect(await ended).toMatchObject({ exitCode: 0, stderr: '' });
      expect(await result(name)).toEqual(one);
    });

    test('and its run is audited, evaluated and estimated like any other', async () => {
      const audit = await finished('audit', `runs/${method}-1`);
      const { weightsSha256, codesSha256, mAP } = one;
      expect(audit.at(-1)).toMatchObject({ weightsSha256, codesSha256, samples: 20 });
      const evaluation = await finished('evaluate', `runs/${method}-1`, '--workers', '1');
      expect(evaluation.find(({ message }) => message === 'evaluated')).toMatchObject({ mAP });
      const tasks = new Set(evaluation.map(({ task }) => task));
      expect(tasks.has('database')).toBe(networkMakesDatabase(method));
      await finished('estimate', small.runFile, ...flags('estimated', method));
    });
  },
);

test('bisect finds the first step that differs between two runs with a loss over pairs', async () => {
  const short = ['spec.schedule.iterations=1', 'spec.schedule.decayAfter=[]'];
  await train('bisected-a', 'dpsh', 1, short);
  await train('bisected-b', 'dpsh', 1, [...short, 'spec.dpsh.eta=11']);
  const both = ['runs/bisected-a', 'runs/bisected-b'];
  const lines = await finished('runs', 'compare', '--bisect', '--workers', '1', ...both);
  expect(lines.at(-1)).toMatchObject({ place: 'microbatch', step: 1, settings: ['spec.dpsh.eta'] });
});
