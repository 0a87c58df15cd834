import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { browserMissing, startBrowser } from '../kit/browser.js';
import { FakePage } from '../kit/fake-page.js';
import { openedPage } from '../kit/opened-page.js';
import { runView } from '../kit/run-views.js';

let browser: Browser;
beforeAll(async () => {
  if (!browserMissing) browser = await startBrowser();
});
afterAll(() => browser?.close());

test.skipIf(browserMissing)(
  `the list and a comparison say that their server is gone, keep what is known, and go on${browserMissing}`,
  async () => {
    const { fake, page } = await openedPage(
      browser,
      new FakePage([runView(), runView({ run: 'other' })], 'folder'),
      390,
    );
    const gone = page.getByText('The server of this page is gone.');
    await page.getByRole('link', { name: 'other' }).waitFor();
    fake.vanish();
    await gone.waitFor();
    expect(await page.getByRole('link', { name: 'other' }).count(), 'the last list stays').toBe(1);
    await fake.start();
    await gone.waitFor({ state: 'detached' });
    await page.goto(`${page.url().split('#')[0]}#/compare/cub-48bits/other`);
    const equal = page.getByText('All settings that the result depends on are equal.');
    await equal.waitFor();
    fake.vanish();
    await gone.waitFor();
    expect(await equal.count(), 'the last state stays').toBe(1);
    await fake.start();
    await gone.waitFor({ state: 'detached' });
  },
);

test.skipIf(browserMissing)(
  `a run that is not in the folder is said to be none, in an address of whatever form, until it is there${browserMissing}`,
  async () => {
    const { fake, page, faults } = await openedPage(browser, new FakePage([runView()], 'folder'), 390);
    const address = page.url();
    await page.goto(`${address}#/run/of%zz`);
    await page.getByText('The server of this page says: there is no run "of%zz".').waitFor();
    await page.goto(`${address}#/compare/cub-48bits/absent`);
    await page.getByText('The server says: there is no run "absent".').waitFor();
    await page.goto(`${address}#/run/absent`);
    await page.getByText('The server of this page says: there is no run "absent". Trying again…').waitFor();
    fake.views = [runView({ run: 'absent' })];
    await page.getByText('iteration 4 of 7').waitFor();
    await page.getByText('Live').waitFor();
    expect(faults).toEqual([]);
  },
);

test.skipIf(browserMissing)(
  `many runs keep the comparison within reach, and words whole${browserMissing}`,
  async () => {
    const long = `a-run-with-a-name-${'of-many-words-'.repeat(5)}end`;
    const views = Array.from({ length: 60 }, (_, at) => runView({ run: at === 5 ? long : `run-${at}` }));
    const { fake, page, faults } = await openedPage(browser, new FakePage([], 'folder'), 1280);
    await page.getByText('There is no run in this folder yet.').waitFor();
    fake.views = views.slice(0, 1);
    await page.getByRole('link', { name: 'run-0' }).waitFor();
    expect(await page.getByRole('checkbox').count(), 'one run has none to be compared with').toBe(0);
    fake.views = views;
    await page.getByLabel(`compare ${long}`).check();
    await page.getByLabel('compare run-7').check();
    const { y, height } = (await page.getByRole('link', { name: `Compare ${long}` }).boundingBox())!;
    expect(y + height).toBeLessThan(800);
    const cell = await page.getByRole('row', { name: 'run-7' }).getByText('fcaenet').boundingBox();
    expect(cell!.height, 'the method is on one line').toBeLessThan(40);
    expect(faults).toEqual([]);
  },
);
