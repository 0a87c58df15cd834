import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LossCurve } from '../../src/live/loss-curve.js';
import { pageFolder } from '../../src/live/serve/page-files.js';
import type { ViewState } from '../../src/live/view.js';
import { lossesDiffer } from '../../src/live/words.js';
import { browserMissing, startBrowser } from '../kit/browser.js';
import { FakePage } from '../kit/fake-page.js';
import { openedPage } from '../kit/opened-page.js';
import { runView, viewOfState } from '../kit/run-views.js';

let browser: Browser;
beforeAll(async () => {
  if (!browserMissing) browser = await startBrowser();
});
afterAll(() => browser?.close());

test('the page has less than 200 kB, compressed', () => {
  const files = readdirSync(pageFolder).map((name) => readFileSync(new URL(name, pageFolder)));
  const bytes = files.reduce((sum, content) => sum + gzipSync(content).byteLength, 0);
  expect(bytes).toBeGreaterThan(10_000);
  expect(bytes).toBeLessThan(200_000);
});

/** What a reader sees in each state, besides the name of the run. */
const shown: Readonly<Partial<Record<ViewState, readonly string[]>>> = {
  waiting: [
    'waiting for workers',
    'The run waits for 2 more workers (0 of 2 are there)',
    'No worker is there.',
  ],
  training: [
    'training',
    'iteration 4 of 7, epoch 2 of 4, step 6 of 16',
    '12 min 34 s',
    'NVIDIA H100 80GB HBM3',
  ],
  evaluating: ['making and evaluating codes', 'queries: 640 of 1452 images'],
  paused: ['paused', 'The run waits to be continued.'],
  finished: ['finished', 'all 7 iterations are done', '100 %'],
  failed: ['failed', 'the gradient of step 214 is not finite'],
};

test.skipIf(browserMissing)(
  `the page follows the run through its states, also on a phone, without sideways scrolling${browserMissing}`,
  async () => {
    const { fake, page, faults } = await openedPage(browser, new FakePage([viewOfState.waiting()]), 390);
    for (const [state, texts] of Object.entries(shown)) {
      fake.views = [viewOfState[state as ViewState]()];
      for (const text of texts) await page.getByText(text, { exact: false }).first().waitFor();
      expect(await page.evaluate('document.documentElement.scrollWidth'), state).toBe(390);
    }
    expect(await page.title()).toBe('cub-48bits: failed');
    expect(faults).toEqual([]);
  },
);

test.skipIf(browserMissing)(
  `the page says that the coordinator is gone, that it is back, and that it ended${browserMissing}`,
  async () => {
    const { fake, page } = await openedPage(browser, new FakePage([runView()]), 1280);
    await page.getByText('Live').waitFor();
    fake.vanish();
    await page.getByText('The coordinator is gone.').waitFor();
    expect(await page.getByText('iteration 4 of 7').count(), 'the last state stays').toBe(1);
    fake.views = [runView({ term: 2, iteration: 5 })];
    await fake.start();
    await page.getByText('The coordinator is back.').waitFor();
    await page.getByText('iteration 6 of 7').waitFor();
    fake.views = [viewOfState.finished()];
    await fake.close();
    await page.getByText('The coordinator has ended.').waitFor();
    expect(await page.getByText('all 7 iterations are done').count()).toBe(1);
  },
);

test.skipIf(browserMissing)(
  `by keyboard, each request is confirmed and needs the token${browserMissing}`,
  async () => {
    const fake = new FakePage([runView({ control: true })]);
    const asked: unknown[] = [];
    fake.door = {
      token: 'the-token-of-the-run',
      handler: async (request) => {
        asked.push(request);
        return { ok: true, run: 'cub-48bits', term: 1 };
      },
    };
    const { page, faults } = await openedPage(browser, fake, 1280);
    await page.getByRole('button', { name: 'Pause' }).focus();
    await page.keyboard.press('Enter');
    await page.getByText('This pauses the run after its current step').waitFor();
    expect(asked).toEqual([]);
    await page.keyboard.type('another');
    await page.keyboard.press('Enter');
    await page.getByText('The control request has another token').waitFor();
    await page.getByLabel('Control token').fill('the-token-of-the-run');
    await page.keyboard.press('Enter');
    await page.getByText('Done.').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Drain worker local-0' }).press('Enter');
    // The token is known now.
    await page.getByRole('button', { name: 'Yes' }).press('Enter');
    await page.getByText('Done.').waitFor();
    expect(asked).toEqual([{ command: 'pause' }, { command: 'drain', worker: '0' }]);
    await page.keyboard.press('Escape');
    await page.getByText('Iterations in numbers').press('Enter');
    await page.keyboard.press('Tab');
    const table = page.getByRole('region', { name: 'Iterations in numbers' });
    expect(await table.evaluate((place) => place.matches(':focus')), 'it can be scrolled').toBe(true);
    expect(faults).toEqual([]);
  },
);

test.skipIf(browserMissing)(`two runs of a folder are compared${browserMissing}`, async () => {
  const other = runView({ run: 'other', state: 'finished', iteration: 7, settings: { 'spec.bits': 24 } });
  const { page, faults } = await openedPage(browser, new FakePage([runView(), other], 'folder'), 390);
  await page.getByLabel('compare cub-48bits').check();
  await page.getByLabel('compare other').check();
  await page.getByRole('link', { name: 'Compare cub-48bits and other' }).click();
  await page.getByRole('img', { name: /Mean average precision.*cub-48bits 0.5689, other 0.81/ }).waitFor();
  await page.getByRole('row', { name: 'spec.bits 48 24' }).waitFor();
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
  expect(faults).toEqual([]);
});

test.skipIf(browserMissing)(
  `runs of two methods are compared on a phone without cut words, and not by the height of their losses${browserMissing}`,
  async () => {
    const settings = {
      'spec.method': 'exchnet',
      'spec.schedule.iterations': 12,
      'spec.exchnet.alignment': 1,
    };
    const other = runView({ run: 'cub50-of-another-method', method: 'exchnet', settings });
    const { page } = await openedPage(browser, new FakePage([runView(), other], 'folder'), 390);
    const note = page.getByText(lossesDiffer);
    await page.goto(`${page.url()}#/compare/cub-48bits/cub-48bits`);
    await page.getByText('All settings that the result depends on are equal.').waitFor();
    expect(await note.count()).toBe(0);
    await page.goto(`${page.url().split('#')[0]}#/compare/cub-48bits/cub50-of-another-method`);
    await note.waitFor();
    const wide = await page
      .locator('.pairs th, .pairs td')
      .evaluateAll((cells) => cells.filter((cell) => cell.scrollWidth > cell.clientWidth + 1).length);
    expect(wide).toBe(0);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
  },
);

test.skipIf(browserMissing)(
  `two methods that train no network are compared without a promise of steps${browserMissing}`,
  async () => {
    const without = { epochs: 0, losses: new LossCurve([]).view(), iterationsDone: [] };
    const views = ['itq', 'lsh'].map((method) => runView({ ...without, run: method, method }));
    const { page } = await openedPage(browser, new FakePage(views, 'folder'), 1280);
    await page.goto(`${page.url()}#/compare/itq/lsh`);
    await page.getByText('These methods train no network.').waitFor();
    expect(await page.getByText('No step is done yet.').count()).toBe(0);
  },
);
