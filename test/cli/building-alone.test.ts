import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryDirectory } from '../run/support.js';

/** A script of this tree that says `building` while it builds, and ends with `built` when its input is closed. */
function builder(root: string) {
  const program = `
    import { alone } from '${join(root, 'scripts/lib.mjs')}';
    await alone(async () => {
      console.log('building');
      for await (const _ of process.stdin);
      console.log('built');
    });`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program]);
  onTestFinished(() => void child.kill('SIGKILL'));
  const said: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => said.push(`${text}`.trim()));
  const says = async (line: string) => {
    while (!said.includes(line)) await Promise.race([once(child.stdout, 'data'), once(child.stderr, 'data')]);
  };
  return { child, said, says };
}

function tree(): string {
  const root = temporaryDirectory();
  cpSync('scripts/lib.mjs', join(root, 'scripts/lib.mjs'));
  return root;
}

const waiting = 'fcaenet: waiting for another process that builds in this folder.';

test.each([
  ['has ended', (child: ReturnType<typeof spawn>) => child.stdin!.end()],
  ['was killed', (child: ReturnType<typeof spawn>) => child.kill('SIGKILL')],
])('a second script builds when the first %s', async (_, end) => {
  const root = tree();
  const first = builder(root);
  await first.says('building');
  const second = builder(root);
  await second.says(waiting);
  expect(second.said).toEqual([waiting]);
  end(first.child);
  await second.says('building');
  second.child.stdin.end();
  await second.says('built');
});

test('scripts of two trees build at the same time', async () => {
  const builders = [builder(tree()), builder(tree())];
  for (const each of builders) await each.says('building');
  expect(builders.flatMap(({ said }) => said)).toEqual(['building', 'building']);
});
