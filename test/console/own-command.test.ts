import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { OwnCommand } from '../../src/console/own-command.js';

test.each([
  ['/app/scripts/start.mjs', ['start'], {}, 'npm start'],
  ['/app/scripts/start.mjs', ['start', '--data', 'my birds'], {}, "npm start -- --data 'my birds'"],
  ['/app/dist/cli.js', ['start', '--workers', '1'], {}, 'node dist/cli.js start --workers 1'],
  ['/elsewhere/cli.js', ['train', 'a.yaml'], {}, 'node /elsewhere/cli.js train a.yaml --resume=auto'],
  ['/usr/local/bin/fcaenet', ['train', 'a.yaml'], {}, 'fcaenet train a.yaml --resume=auto'],
  [
    '/app/node_modules/.bin/fcaenet',
    ['train', 'a.yaml', '--set', 'spec.bits=12'],
    { npm_lifecycle_event: 'npx' },
    'npx fcaenet train a.yaml --set spec.bits=12 --resume=auto',
  ],
  ['/usr/local/bin/fcaenet', ['train', '--resume', 'a.yaml'], {}, 'fcaenet train --resume a.yaml'],
  [
    '/usr/local/bin/fcaenet',
    ['coordinator', '--resume=auto', 'a'],
    {},
    'fcaenet coordinator --resume=auto a',
  ],
])('%s %j goes on by its own command', (script, args, environment, expected) => {
  expect(new OwnCommand(['/usr/bin/node', script, ...args], environment, '/app').resume()).toBe(expected);
});

test('a shell reads back what was typed', () => {
  const odd = ["it's", '$HOME', 'a"b', 'spec.decayAfter=[1, 2]', '*', '', 'ä', '~'];
  const line = new OwnCommand(['node', '/usr/local/bin/fcaenet', 'train', ...odd], {}, '/app').resume();
  const read = execFileSync('sh', ['-c', line.replace(/^fcaenet/, "printf '%s\\n'")], { encoding: 'utf8' });
  expect(read).toBe(['train', ...odd, '--resume=auto'].map((word) => `${word}\n`).join(''));
});

test.each([
  ['/app/scripts/start.mjs', ['start'], 'npm start -- --set spec.bits=8', 'npx fcaenet runs'],
  [
    '/usr/local/bin/fcaenet',
    ['train', 'a.yaml', '--resume=auto'],
    'fcaenet train a.yaml --set spec.bits=8',
    'fcaenet runs',
  ],
])('%s %j begins another run, and another command', (script, args, again, sibling) => {
  const command = new OwnCommand(['/usr/bin/node', script, ...args], {}, '/app');
  expect([command.again(['spec.bits=8']), command.sibling(['runs'])]).toEqual([again, sibling]);
});
