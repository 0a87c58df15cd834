import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

// A worker's connection may be gone without a word. Then nothing else keeps the process alive that wants to reconnect.
test('a process lives until the time limit of what it waits for is over', () => {
  const program =
    "import { atMost } from './dist/clock.js';" +
    "atMost(200, new Promise(() => {})).then(() => console.log('goes on'));";
  const printed = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect(printed).toBe('goes on\n');
});
