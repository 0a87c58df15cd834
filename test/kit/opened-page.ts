import type { Browser, Page } from 'playwright-core';
import { onTestFinished } from 'vitest';
import { faultsOf } from './browser.js';
import type { FakePage } from './fake-page.js';

/** Opens a page until the test ends. All that it asks for must be of its own server. */
export async function openedPage(
  browser: Browser,
  fake: FakePage,
  width: number,
): Promise<{ fake: FakePage; page: Page; faults: readonly string[] }> {
  await fake.start();
  const page = await browser.newPage({ viewport: { width, height: 800 } });
  onTestFinished(async () => {
    await page.close();
    fake.vanish();
  });
  const faults = faultsOf(page);
  page.on('request', (request) => {
    if (new URL(request.url()).host !== fake.address) faults.push(`a request to ${request.url()}`);
  });
  await page.goto(`http://${fake.address}/`);
  return { fake, page, faults };
}
