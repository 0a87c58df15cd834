import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { StallingDisk, stallingDiskMissing } from '../kit/stalling-disk.js';

const built = (file: string) => fileURLToPath(new URL(`../../dist/disk/${file}`, import.meta.url));

/** Calls `stat` so that none of the pool's sleeping threads is woken for it. */
const loseOne = `
  import { existsSync } from 'node:fs';
  import { stat } from 'node:fs/promises';
  import { setTimeout as passMs } from 'node:timers/promises';
  const say = (what) => console.log(JSON.stringify(what));
  async function withoutWakeUp(call) {
    await stat('/');
    // All threads of the pool are asleep by then.
    await passMs(500);
    existsSync('/stalling-disk/lose-wake-ups');
    const answer = call();
    existsSync('/stalling-disk/keep-wake-ups');
    return { answer };
  }`;

describe.skipIf(stallingDiskMissing !== '')(
  `a wake-up of the pool that is lost${stallingDiskMissing}`,
  () => {
    let disk: StallingDisk;
    beforeAll(() => {
      disk = new StallingDisk();
    });
    afterAll(() => disk?.remove());

    async function linesOf(script: string): Promise<unknown[]> {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['--input-type=module', '-e', loseOne + script],
        {
          env: { ...process.env, ...disk.environment },
        },
      );
      return stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
    }

    test.concurrent('leaves an operation without answer until another is queued', async () => {
      expect(
        await linesOf(`
        const { answer } = await withoutWakeUp(() => stat('/tmp'));
        say(await Promise.race([answer.then(() => 'answered'), passMs(2000, 'no answer')]));
        await stat('/');
        say(await answer.then(() => 'answered'));`),
      ).toEqual(['no answer', 'answered']);
    });

    test.concurrent('is told of and mended where the operation is watched', async () => {
      expect(
        await linesOf(`
        const { disk } = await import(${JSON.stringify(built('disk.js'))});
        const { diskWatch } = await import(${JSON.stringify(built('watch.js'))});
        diskWatch.onOverdue = say;
        const { answer } = await withoutWakeUp(() => disk.stat('/tmp'));
        say(await answer.then(() => 'answered'));`),
      ).toEqual([{ operation: 'stat', file: '/tmp', seconds: 5 }, 'answered']);
    });
  },
);
