import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { ownProcess } from '../../src/machine/process-name.js';
import { readTrainingRun } from '../../src/run/read.js';
import { type ResumeMode, RunDirectory } from '../../src/run/run-directory.js';
import { failure } from '../kit/failure.js';
import { run, temporaryDirectory } from '../run/support.js';

function inside(root: string, ...overrides: string[]) {
  return run(`spec.operation.runsDirectory=${root}`, ...overrides);
}

function begun(root: string): void {
  const directory = RunDirectory.open(inside(root), 'new');
  directory.writeRunFile(inside(root));
  mkdirSync(join(directory.checkpoints, 'term-000001-step-0000000003'));
  directory.release();
}

/** A path that leads to itself, which even root cannot follow. */
function linkInCircle(path: string): void {
  rmSync(path, { recursive: true, force: true });
  symlinkSync(basename(path), path);
}

test('a new run has its settings, as decided, in run.yaml', () => {
  const root = temporaryDirectory();
  const directory = RunDirectory.open(inside(root), 'new');
  directory.writeRunFile(inside(root));
  expect(directory.path).toBe(join(root, 'test'));
  expect(readTrainingRun(directory.runFile)).toEqual(inside(root));
  expect(existsSync(directory.checkpoints)).toBe(true);
});

test('result.json is replaced whole and events are added line by line', () => {
  const directory = RunDirectory.open(inside(temporaryDirectory()), 'new');
  directory.writeResult({ mAP: 0.1 });
  directory.writeResult({ mAP: 0.5 });
  directory.appendEvent({ event: 'a' });
  directory.appendEvent({ event: 'b' });
  expect(JSON.parse(readFileSync(directory.resultFile, 'utf8'))).toEqual({ mAP: 0.5 });
  expect(readFileSync(directory.eventsFile, 'utf8')).toBe('{"event":"a"}\n{"event":"b"}\n');
});

test('a run that has begun is not begun anew', () => {
  const root = temporaryDirectory();
  begun(root);
  expect(() => RunDirectory.open(inside(root), 'new')).toThrow(
    failure(
      'RUN_EXISTS',
      `${join(root, 'test')} already contains a run; add --resume to continue it, ` +
        'or choose another name with --set metadata.name=NAME',
    ),
  );
});

test('a run that ended before its first checkpoint may be begun anew with other settings', () => {
  const root = temporaryDirectory();
  RunDirectory.open(inside(root), 'new').release();
  const run = inside(root, 'spec.bits=12');
  const directory = RunDirectory.open(run, 'new');
  directory.writeRunFile(run);
  expect(readTrainingRun(directory.runFile).spec.bits).toBe(12);
});

test('only a run that is there can be resumed', () => {
  const root = temporaryDirectory();
  expect(() => RunDirectory.open(inside(root), 'resume')).toThrow(
    failure('RUN_ABSENT', `there is no run in ${join(root, 'test')} to resume; omit --resume to start one`),
  );
  expect(existsSync(join(root, 'test'))).toBe(false);
  const directory = RunDirectory.open(inside(root), 'auto');
  directory.writeRunFile(inside(root));
  directory.release();
  RunDirectory.open(inside(root), 'resume').release();
});

test.each<ResumeMode>(['resume', 'auto'])('%s refuses a run of other settings and names them', (mode) => {
  const root = temporaryDirectory();
  begun(root);
  expect(() => RunDirectory.open(inside(root, 'spec.bits=12', 'spec.seed=7'), mode)).toThrow(
    failure(
      'RUN_DIFFERS',
      `${join(root, 'test')} contains a run with other settings: spec.bits (24, now 12), spec.seed (0, now 7); ` +
        'choose another name with --set metadata.name=NAME',
    ),
  );
  // The refusal leaves the run as it was, and free.
  const other = inside(root, 'spec.operation.workers=5');
  const directory = RunDirectory.open(other, mode);
  expect(readTrainingRun(directory.runFile)).toEqual(inside(root));
  directory.writeRunFile(other);
  expect(readTrainingRun(directory.runFile).spec).toMatchObject({ bits: 24, operation: { workers: 5 } });
});

test('a directory in use is refused, naming the process', () => {
  const root = temporaryDirectory();
  const directory = RunDirectory.open(inside(root), 'new');
  expect(() => RunDirectory.open(inside(root), 'auto')).toThrow(
    failure(
      'RUN_LOCKED',
      `${join(root, 'test')} is in use by process ${process.pid} on ${hostname()}; ` +
        `if that process has ended, remove ${join(root, 'test', 'lock')}`,
    ),
  );
  directory.release();
  RunDirectory.open(inside(root), 'auto').release();
});

function lockOf(root: string, holder: unknown): void {
  RunDirectory.open(inside(root), 'new').release();
  writeFileSync(join(root, 'test', 'lock'), typeof holder === 'string' ? holder : JSON.stringify(holder));
}

test('the lock of a dead process of this PID namespace is taken over', () => {
  const root = temporaryDirectory();
  const dead = spawnSync(process.execPath, ['-e', '']).pid;
  lockOf(root, { ...ownProcess(), pid: dead, leaseSeconds: 100 });
  RunDirectory.open(inside(root), 'auto').release();
});

test.skipIf(!existsSync('/proc/self/stat'))(
  'a lock whose process number belongs to another process now is taken over (needs /proc)',
  () => {
    const root = temporaryDirectory();
    lockOf(root, { ...ownProcess(), processStart: '1', leaseSeconds: 100 });
    RunDirectory.open(inside(root), 'auto').release();
  },
);

const unused = { pid: 2 ** 22 + 1, leaseSeconds: 100 };
test.each([
  ['another PID namespace', { ...ownProcess(), ...unused, pidNamespace: 'pid:[1]' }],
  ['another machine of the same name', { ...ownProcess(), ...unused, bootId: 'another' }],
  ['an earlier version', { ...unused, host: hostname(), processStart: null }],
])('a process number is not looked for here when the lock is of %s', (_, holder) => {
  const root = temporaryDirectory();
  lockOf(root, holder);
  expect(() => RunDirectory.open(inside(root), 'auto')).toThrow(
    failure('RUN_LOCKED', 'in use by process 4194305'),
  );
});

test('a lock from the future, as after a clock was set back, counts for one lease from when it is seen', async () => {
  const root = temporaryDirectory();
  const lock = join(root, 'test', 'lock');
  lockOf(root, { pid: 1, host: 'elsewhere.example', processStart: null, leaseSeconds: 2 });
  const inAnHour = Date.now() / 1000 + 3600;
  utimesSync(lock, inAnHour, inAnHour);
  const open = () => RunDirectory.open(inside(root), 'auto');
  expect(open).toThrow('process 1 on elsewhere.example');
  expect(statSync(lock).mtimeMs).toBeLessThan(Date.now() + 1000);
  await vi.waitFor(() => open().release(), { timeout: 60_000, interval: 100 });
});

test('the lock of another host and one that cannot be read are respected', () => {
  const root = temporaryDirectory();
  lockOf(root, { pid: 1, host: 'elsewhere.example', processStart: null });
  expect(() => RunDirectory.open(inside(root), 'auto')).toThrow('process 1 on elsewhere.example');
  writeFileSync(join(root, 'test', 'lock'), 'not JSON');
  expect(() => RunDirectory.open(inside(root), 'auto')).toThrow('in use by another process');
});

test('a place that cannot hold a directory is refused in one sentence', () => {
  const root = join(temporaryDirectory(), 'file');
  writeFileSync(root, '');
  expect(() => RunDirectory.open(inside(root), 'new')).toThrow(
    failure('RUN_DIRECTORY_UNUSABLE', `the run directory ${join(root, 'test')} cannot be written (ENOTDIR)`),
  );
});

test('each term has a ledger of its own, and the highest counts', () => {
  const directory = RunDirectory.open(inside(temporaryDirectory()), 'new');
  expect(directory.ledgerFiles()).toEqual([]);
  for (const term of [2, 10, 1]) writeFileSync(directory.ledgerFileOf(term), '');
  expect(directory.ledgerFiles()).toEqual([10, 2, 1].map((term) => directory.ledgerFileOf(term)));
  expect(directory.ledgerFiles(10)).toEqual([2, 1].map((term) => directory.ledgerFileOf(term)));
});

test('a directory is locked while a process has it', () => {
  const directory = RunDirectory.open(inside(temporaryDirectory()), 'new');
  expect(RunDirectory.at(directory.path).isLocked).toBe(true);
  directory.release();
  expect(RunDirectory.at(directory.path).isLocked).toBe(false);
});

test.each(['.DS_Store', '.nfs0001', 'lost+found', '.tmp-x', 'term-000001-step-0000000003.zip'])(
  'a lone %s among the checkpoints is no run that has begun',
  (foreign) => {
    const root = temporaryDirectory();
    const path = join(root, 'test');
    for (const folder of ['checkpoints', 'terms', '.']) {
      mkdirSync(join(path, folder, foreign), { recursive: true });
    }
    for (const mode of ['new', 'auto'] as const) RunDirectory.open(inside(root), mode).release();
    const directory = RunDirectory.open(inside(root), 'new');
    expect(directory.hasBegun).toBe(false);
    expect(directory.nextTerm()).toBe(1);
    expect(directory.ledgerFiles()).toEqual([]);
    expect(JSON.parse(readFileSync(join(path, 'terms', '000001'), 'utf8')).checkpoints).toEqual([]);
    directory.release();
    // And beside a checkpoint of ours it changes nothing.
    mkdirSync(join(path, 'checkpoints', 'term-000001-step-0000000003'));
    expect(() => RunDirectory.open(inside(root), 'new')).toThrow(
      failure('RUN_EXISTS', 'already contains a run'),
    );
  },
);

test('a run that did not begin leaves no directory, unless it was there before or has begun', () => {
  const root = temporaryDirectory();
  const fresh = RunDirectory.open(inside(root), 'new');
  fresh.nextTerm();
  fresh.writeRunFile(inside(root));
  fresh.discardUnlessBegun();
  fresh.release();
  expect(existsSync(fresh.path)).toBe(false);

  mkdirSync(fresh.path);
  const old = RunDirectory.open(inside(root), 'new');
  old.discardUnlessBegun();
  old.release();
  expect(existsSync(old.path)).toBe(true);

  rmSync(old.path, { recursive: true });
  const started = RunDirectory.open(inside(root), 'new');
  mkdirSync(join(started.checkpoints, 'term-000001-step-0000000000'));
  started.discardUnlessBegun();
  started.release();
  expect(existsSync(started.path)).toBe(true);
});

test('a run that was copied without its terms goes on with a higher term than any of its checkpoints and ledgers', () => {
  const root = temporaryDirectory();
  const directory = RunDirectory.open(inside(root), 'auto');
  const name = 'term-000003-step-0000000003';
  mkdirSync(join(directory.checkpoints, name));
  expect(directory.nextTerm()).toBe(4);
  expect(directory.terms.acceptsCheckpoint(3, name)).toBe(true);
  rmSync(join(directory.path, 'terms'), { recursive: true });
  writeFileSync(directory.ledgerFileOf(7), '');
  expect(directory.nextTerm()).toBe(8);
  directory.release();
});

describe('what cannot be looked at is not taken for absent', () => {
  const unreadable = (root: string, end: string) =>
    failure('RUN_DIRECTORY_UNUSABLE', `the run directory ${join(root, 'test')} cannot be ${end}`);

  test.each<ResumeMode>(['new', 'resume', 'auto'])('the directory itself (%s)', (mode) => {
    const root = temporaryDirectory();
    linkInCircle(join(root, 'test'));
    expect(() => RunDirectory.open(inside(root), mode)).toThrow(unreadable(root, ''));
  });

  test('run.yaml, of a run to be resumed', () => {
    const root = temporaryDirectory();
    begun(root);
    linkInCircle(join(root, 'test', 'run.yaml'));
    expect(() => RunDirectory.open(inside(root), 'resume')).toThrow(unreadable(root, 'read (ELOOP)'));
    expect(() => RunDirectory.open(inside(root), 'auto')).toThrow(
      failure('RUN_FILE_UNREADABLE', `the run file ${join(root, 'test', 'run.yaml')} cannot be read (ELOOP)`),
    );
  });

  test.each(['result.json', 'lock', 'checkpoints'])('%s', (name) => {
    const root = temporaryDirectory();
    begun(root);
    linkInCircle(join(root, 'test', name));
    const look = (directory: RunDirectory) => [
      directory.hasBegun,
      directory.isLocked,
      directory.readResult(),
    ];
    expect(() => look(RunDirectory.at(join(root, 'test')))).toThrow(unreadable(root, 'read (ELOOP)'));
  });

  test.each(['terms', 'checkpoints', 'result.json'])('%s, for the next term', (name) => {
    const root = temporaryDirectory();
    const directory = RunDirectory.open(inside(root), 'new');
    linkInCircle(join(directory.path, name));
    expect(() => directory.nextTerm()).toThrow(unreadable(root, 'written (ELOOP)'));
    directory.release();
  });

  test('events.jsonl', () => {
    const root = temporaryDirectory();
    const directory = RunDirectory.open(inside(root), 'new');
    linkInCircle(directory.eventsFile);
    expect(() => directory.readEventLines()).toThrow(unreadable(root, 'read (ELOOP)'));
    directory.release();
  });
});

test('a named pipe in the place of a result, a term or the events is refused, not waited for', () => {
  const root = temporaryDirectory();
  begun(root);
  const directory = RunDirectory.at(join(root, 'test'));
  mkdirSync(join(directory.path, 'terms'));
  const unusable = (path: string) =>
    failure('RUN_DIRECTORY_UNUSABLE', `${path} is not a file but a named pipe`);
  const term = join(directory.path, 'terms', '000002');
  for (const path of [directory.resultFile, directory.eventsFile, term]) {
    rmSync(path, { force: true });
    execFileSync('mkfifo', [path]);
  }
  expect(() => directory.readResult()).toThrow(unusable(directory.resultFile));
  expect(() => directory.readEventLines()).toThrow(unusable(directory.eventsFile));
  expect(() => directory.mendEvents()).toThrow(unusable(directory.eventsFile));
  expect(() => directory.terms.acceptsCheckpoint(1, 'any')).toThrow(
    failure('RUN_TERM_DAMAGED', `the term ${term} is damaged`),
  );
});

test('a result and a term that hold something else are refused by name', () => {
  const root = temporaryDirectory();
  begun(root);
  const directory = RunDirectory.at(join(root, 'test'));
  writeFileSync(directory.resultFile, '');
  expect(() => directory.readResult()).toThrow(
    failure('RUN_RESULT_DAMAGED', `the result ${directory.resultFile} is damaged: it must be a JSON object`),
  );
  mkdirSync(join(directory.path, 'terms'));
  writeFileSync(join(directory.path, 'terms', '000002'), '');
  expect(() => directory.terms.acceptsCheckpoint(1, 'any')).toThrow(
    failure('RUN_TERM_DAMAGED', `the term ${join(directory.path, 'terms', '000002')} is damaged`),
  );
});
