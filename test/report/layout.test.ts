import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeReport } from '../../src/report/command.js';
import { browserMissing, faultsOf, startBrowser } from '../kit/browser.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';
import { makeRun, quietConsole } from './made-run.js';

let small: SmallRun;
let browser: Browser;
/** A report of one run, and one of two. */
const reports: string[] = [];
beforeAll(async () => {
  if (browserMissing) return;
  browser = await startBrowser();
  small = await smallRun();
  const runs = [
    await makeRun(small.runFile, small.folder),
    await makeRun(small.runFile, small.folder, [`metadata.name=${'W'.repeat(63)}`]),
  ];
  for (const runDirectories of [runs.slice(0, 1), runs]) {
    const output = join(small.folder, `report-${runDirectories.length}.html`);
    reports.push((await makeReport({ runDirectories, data: undefined, output }, quietConsole)).file);
  }
});
afterAll(async () => {
  await browser?.close();
  small?.remove();
});

/** In the page: texts and pictures that stick out of the window, besides those in boxes that scroll. */
const stickingOut = `[...document.querySelectorAll('body *')]
  .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
  .filter((element) => {
    for (let box = element.parentElement; box; box = box.parentElement) {
      if (/auto|scroll/.test(getComputedStyle(box).overflowX)) return false;
    }
    return true;
  })
  .map((element) => element.tagName + ' ' + (element.textContent ?? '').slice(0, 40))`;

/** In the page: the luminance of paper and of text, between 0 and 255. */
const luminances = `['backgroundColor', 'color'].map((name) => {
  const [red, green, blue] = getComputedStyle(document.body)[name].match(/[\\d.]+/g).map(Number);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
})`;

const cases = [1, 2].flatMap((runs) =>
  [390, 1280].flatMap((width) =>
    (['light', 'dark'] as const).map((colorScheme) => ({ runs, width, colorScheme })),
  ),
);

test.skipIf(browserMissing).each(cases)(
  `a report of $runs run(s) fits $width pixels, $colorScheme${browserMissing}`,
  async ({ runs, width, colorScheme }) => {
    const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
    const faults = faultsOf(page);
    await page.goto(`file://${reports[runs - 1]}`);
    expect(await page.evaluate(stickingOut)).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
    const [paper, text] = (await page.evaluate(luminances)) as [number, number];
    expect(paper > text).toBe(colorScheme === 'light');
    expect(Math.abs(paper - text)).toBeGreaterThan(128);
    expect(faults).toEqual([]);
    await page.close();
  },
);
