import { execFile } from 'node:child_process';
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CheckpointStore } from '../../src/checkpoint/store.js';
import { leftovers, stateAt, temporaryDirectory, thisRun } from '../checkpoint/states.js';

/** Compiled inside node_modules, where the child's imports are found. */
const root = fileURLToPath(new URL('../..', import.meta.url));
const compiled = join(root, 'node_modules', '.cache', `checkpoint-child-${process.pid}`);
const child = join(compiled, 'test', 'checkpoint', 'child', 'save.js');

interface Exit {
  signal: NodeJS.Signals | null;
  output: string;
}

function run(command: string, parameters: readonly (string | number)[]): Promise<Exit> {
  return new Promise((resolve) => {
    execFile(command, parameters.map(String), (error, output) =>
      resolve({ signal: error?.signal ?? null, output: error && !error.signal ? error.message : output }),
    );
  });
}

beforeAll(async () => {
  await mkdir(compiled, { recursive: true });
  await writeFile(join(compiled, 'package.json'), '{"type":"module"}');
  const project = {
    extends: join(root, 'tsconfig.test.json'),
    compilerOptions: { noEmit: false, sourceMap: false, rootDir: root, outDir: compiled, types: ['node'] },
    files: [join(root, 'test', 'checkpoint', 'child', 'save.ts')],
    include: [],
  };
  await writeFile(join(compiled, 'tsconfig.json'), JSON.stringify(project));
  const compiler = join(
    createRequire(import.meta.url).resolve('typescript/package.json'),
    '..',
    'bin',
    'tsc',
  );
  expect((await run(process.execPath, [compiler, '-p', compiled])).output).toBe('');
});
afterAll(() => rm(compiled, { recursive: true, force: true }));

/** A directory with checkpoints of steps 1 and 2. */
async function twoCheckpoints(): Promise<string> {
  const directory = await temporaryDirectory();
  const store = new CheckpointStore(directory, { keep: 3, fence: null });
  await store.save(stateAt(1), { best: false });
  await store.save(stateAt(2), { best: true });
  return directory;
}

test.each([
  { what: 'any operation of saving a new checkpoint', step: 3, share: 1 },
  // Its files are written like those of a new one; the renames are at the end.
  { what: 'the last third of saving one that replaces another', step: 2, share: 1 / 3 },
])(
  'SIGKILL at $what leaves a run that loads',
  async ({ step, share }) => {
    const before = await twoCheckpoints();
    const attempt = async (deadly: number) => {
      const directory = await temporaryDirectory();
      await cp(before, directory, { recursive: true });
      const exit = await run(process.execPath, [child, directory, step, deadly]);

      const loaded = await new CheckpointStore(directory, { keep: 1, fence: null }).loadNewest(thisRun);
      expect(loaded!.rejected, `operation ${deadly}`).toEqual([]);
      const { globalStep } = loaded!.state.position;
      expect([2, step], `operation ${deadly}`).toContain(globalStep);
      expect(loaded!.state).toEqual(stateAt(globalStep));
      if (exit.signal === null) expect(globalStep).toBe(step);

      const next = new CheckpointStore(directory, { keep: 1, fence: null });
      await next.save(stateAt(9), { best: true });
      expect(await leftovers(directory), `operation ${deadly}`).toEqual([]);
      expect((await next.list()).map(({ name }) => name)).toEqual(['term-000001-step-0000000009']);
      await rm(directory, { recursive: true });
      return { ...exit, globalStep };
    };
    const { output } = await attempt(0);
    const { operations, code } = JSON.parse(output) as { operations: number; code: string };
    expect(code).toBe('saved');
    expect(operations).toBeGreaterThan(30);

    const reached: number[] = [];
    for (let first = Math.ceil(operations * (1 - share)) + 1; first <= operations; first += 4) {
      const group = Array.from({ length: Math.min(4, operations - first + 1) }, (_, i) => attempt(first + i));
      for (const exit of await Promise.all(group)) {
        expect(exit.signal).toBe('SIGKILL');
        reached.push(exit.globalStep);
      }
    }
    // The change happens at one operation: before it every kill leaves the old newest, after it the new one.
    expect(reached).toEqual(reached.toSorted());
    expect(reached[0]).toBe(2);
    expect(reached.at(-1)).toBe(step);
  },
  120_000,
);

test('a disk that takes no more is an error that leaves what was there', async () => {
  const directory = await twoCheckpoints();
  // A limit on file sizes refuses a write in the middle of a file, as a full disk does. One block is the smallest.
  const { output } = await run('sh', [
    '-c',
    'ulimit -f 1; exec "$@"',
    'sh',
    process.execPath,
    child,
    directory,
    3,
    0,
  ]);
  expect(JSON.parse(output)).toMatchObject({ code: 'CHECKPOINT_WRITE: EFBIG' });
  expect(await leftovers(directory)).toEqual([]);
  const store = new CheckpointStore(directory, { keep: 3, fence: null });
  expect(await store.loadNewest(thisRun)).toMatchObject({ state: stateAt(2), rejected: [] });
  expect((await store.list()).length).toBe(2);
});
