import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const program = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const quick = fileURLToPath(new URL('../../examples/quick.yaml', import.meta.url));
/** Root may read everything unless it gives up the capabilities for that. */
const within = process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-dac_override,-dac_read_search'] : [];

const closed = ['closed', 'closed-runs/quick', 'read-only'];
let root: string;
function run(...args: string[]) {
  const [command, ...rest] = [...within, process.execPath, program, ...args];
  const { status, stdout, stderr } = spawnSync(command!, rest, { cwd: root, encoding: 'utf8' });
  return { status, stdout, stderr };
}

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'fcaenet-unreadable-'));
  for (const folder of ['closed', 'closed/inside', 'runs', 'closed-runs/quick/checkpoints', 'read-only']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  cpSync(quick, join(root, 'closed/run.yaml'));
  cpSync(quick, join(root, 'closed-runs/quick/run.yaml'));
  writeFileSync(join(root, 'closed/weights.safetensors'), '');
  symlinkSync('circle', join(root, 'circle'));
  for (const folder of closed) chmodSync(join(root, folder), folder === 'read-only' ? 0o500 : 0o000);
});
afterAll(() => {
  for (const folder of closed) chmodSync(join(root, folder), 0o700);
  rmSync(root, { recursive: true, force: true });
});

describe('what may not be looked at is named, with an exit code that asks for no other try', () => {
  const set = (setting: string) => ['--set', setting];
  test.each([
    [['dataset', 'check', 'closed'], 66, 'closed/images.txt cannot be read (EACCES)'],
    [['dataset', 'check', 'closed/inside'], 66, 'the dataset folder closed/inside cannot be read (EACCES)'],
    [['dataset', 'check', 'circle'], 66, 'the dataset folder circle cannot be read (ELOOP)'],
    [['dataset', 'make', 'closed/inside'], 73, 'closed/inside/synthetic.json cannot be read (EACCES)'],
    [['dataset', 'make', 'read-only/fresh'], 73, 'read-only/fresh cannot be written (EACCES)'],
    [['train', 'closed/run.yaml'], 66, 'the run file closed/run.yaml cannot be read (EACCES)'],
    [['train', 'circle'], 66, 'the run file circle cannot be read (ELOOP)'],
    [['weights', 'check', 'closed/weights.safetensors'], 66, 'cannot be read (EACCES)'],
    [['evaluate', 'closed-runs/quick'], 66, 'the run directory closed-runs/quick cannot be read (EACCES)'],
    [['audit', 'closed-runs/quick'], 66, 'the run directory closed-runs/quick cannot be read (EACCES)'],
    [['runs', 'list', 'closed'], 66, 'the folder of runs closed cannot be read (EACCES)'],
    [['status', '--run', 'closed/inside'], 66, 'the run directory closed/inside cannot be read (EACCES)'],
    [
      ['estimate', quick, ...set('spec.dataset.kind=cub'), ...set('spec.dataset.path=closed/inside')],
      66,
      'EACCES',
    ],
  ])('fcaenet %j', (args, status, sentence) => {
    const ending = run(...args);
    expect(ending.stderr).toMatch(/^fcaenet: [^\n]*\n$/);
    expect(ending.stderr).toContain(sentence);
    expect(ending.status).toBe(status);
  });

  test('a run among others is passed over with a warning', () => {
    const { status, stdout } = run('runs', 'list', 'closed-runs');
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      level: 'warn',
      message: 'a run cannot be read',
      path: 'closed-runs/quick',
    });
  });
});
