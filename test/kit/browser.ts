import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';

const program = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

/** Empty where there is a browser; else why not, for a title. */
export const browserMissing = program ? '' : ' (skipped: Chromium is not installed)';

/** A browser without a window. It reaches this machine only: the page must need nothing else. */
export function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: program!,
    args: [
      '--no-sandbox',
      '--disable-dev-shm-usage',
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
    ],
  });
}

/** What is in a page that the page does not mean to be there: errors, and what its own policy refuses. */
export function faultsOf(page: Page): string[] {
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    // A coordinator that is gone is a failed request.
    if (message.type() === 'error' && !/Failed to load resource|net::ERR/.test(message.text())) {
      faults.push(message.text());
    }
  });
  return faults;
}
