import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { askRun } from '../kit/ask-run.js';
import { browserMissing, faultsOf, startBrowser } from '../kit/browser.js';
import { CommandLine } from '../kit/command-line.js';
import { smallRun } from '../kit/small-run.js';

test.skipIf(browserMissing)(
  `a real run is seen and controlled in a browser, from its workers to its end${browserMissing}`,
  async () => {
    const small = await smallRun();
    onTestFinished(() => small.remove());
    const settings = [
      'metadata.name=seen',
      'spec.operation.metrics=127.0.0.1:0',
      'spec.operation.monitor.control=true',
      'spec.schedule.iterations=6',
    ];
    const sets = settings.flatMap((setting) => ['--set', setting]);
    const run = new CommandLine(['train', small.runFile, '--workers', '2', ...sets], { cwd: small.folder });
    onTestFinished(() => run.kill('SIGKILL'));
    const { url } = await run.line('page of the run');
    // Otherwise it may be over before the browser is there.
    await run.line('the page may control the run');
    await expect.poll(() => askRun(small.folder, 'pause', '--run', 'seen').catch(() => null)).not.toBeNull();
    const tokenFile = join(small.folder, 'runs', 'seen', 'control-token');
    expect(statSync(tokenFile).mode & 0o777).toBe(0o600);
    const token = readFileSync(tokenFile, 'utf8').trim();
    expect(run.stdout).not.toContain(token);

    const watch = new CommandLine(['watch', 'seen'], { cwd: small.folder });
    onTestFinished(() => watch.kill('SIGKILL'));
    const browser = await startBrowser();
    onTestFinished(() => browser.close());
    const page = await browser.newPage();
    const faults = faultsOf(page);
    await page.goto(`${url}#token=${token}`);
    await page.getByText('The run waits to be continued.').waitFor();
    await page.getByRole('button', { name: 'Checkpoint now' }).click();
    await page.getByRole('button', { name: 'Yes' }).click();
    await page.getByText(/^Checkpoint term-000001-step-\d+ is written\.$/).waitFor();
    await page.getByRole('button', { name: 'Close' }).click();
    expect(page.url()).not.toContain(token);
    // The run continues only once the other observer has seen it paused, however slowly that one starts.
    await expect
      .poll(() => watch.lines, { timeout: 60_000 })
      .toContainEqual(expect.objectContaining({ run: 'seen', state: 'paused' }));
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('button', { name: 'Yes' }).click();
    await page.getByText('Done.').waitFor();
    await page.getByRole('button', { name: 'Close' }).click();
    // The coordinator sends the last state before it ends.
    await page.getByText('The coordinator has ended.').waitFor({ timeout: 120_000 });
    await page.getByText('all 6 iterations are done').waitFor();
    const { mAP } = await small.result('seen');
    await page.getByRole('img', { name: `last values: mAP ${Number(mAP!.toPrecision(4))}` }).waitFor();
    await page.getByRole('img', { name: /Losses by step; last values: sum \d/ }).waitFor();
    expect(await page.getByText(/the run finished with mAP/).count()).toBe(1);
    expect((await run.ended).exitCode).toBe(0);
    expect(existsSync(tokenFile)).toBe(false);
    expect((await watch.ended).exitCode).toBe(0);
    expect(watch.lines.at(-1)).toMatchObject({ run: 'seen', state: 'finished', mAP, gone: false });
    expect(faults).toEqual([]);
  },
  240_000,
);
