import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ExitCode } from '../../src/errors.js';
import { jpegPicture } from '../data/pictures.js';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
beforeAll(async () => {
  small = await smallRun();
});
afterAll(() => small.remove());

const short = ['spec.schedule.iterations=1', 'spec.schedule.decayAfter=[]'];

test('a class with one image trains, with one warning', async () => {
  const root = await small.copyOfData('lone');
  await mkdir(join(root, 'images', '005.Lone'));
  await writeFile(join(root, 'images', '005.Lone', 'x.jpg'), await jpegPicture(7));
  for (const [file, line] of [
    ['images.txt', '45 005.Lone/x.jpg\n'],
    ['image_class_labels.txt', '45 5\n'],
    ['train_test_split.txt', '45 1\n'],
    ['classes.txt', '5 005.Lone\n'],
  ] as const) {
    await writeFile(join(root, file), (await readFile(join(root, file), 'utf8')) + line);
  }
  const settings = [
    ...['metadata.name=lone', 'spec.dataset.path=lone', 'spec.dataset.sampleSize=33'],
    ...['spec.schedule.batchSize=17', ...short],
  ];
  const flags = settings.flatMap((setting) => ['--set', setting]);
  const { exitCode, stderr, lines } = await runCommandLine(
    ['train', small.runFile, '--workers', '1', ...flags],
    { cwd: small.folder },
  );
  expect(stderr).toBe('');
  expect(exitCode).toBe(0);
  const warnings = lines.filter(({ level, classes }) => level === 'warn' && classes !== undefined);
  expect(warnings).toMatchObject([{ classes: ['005.Lone'], count: 1 }]);
});

test('a resume that cannot start leaves the run as it was', async () => {
  const settings = ['metadata.name=resumed', ...short].flatMap((setting) => ['--set', setting]);
  const command = ['train', small.runFile, '--workers', '1', ...settings];
  const stopped = new CommandLine(command, { cwd: small.folder });
  await stopped.line('waiting for workers');
  stopped.kill('SIGTERM');
  expect((await stopped.ended).exitCode).toBe(ExitCode.interrupted);
  const runFile = join(small.folder, 'runs', 'resumed', 'run.yaml');
  const before = await readFile(runFile, 'utf8');
  const exposed = ['--set', 'spec.operation.listen=0.0.0.0:0'];
  const { exitCode } = await runCommandLine([...command, ...exposed, '--resume'], { cwd: small.folder });
  expect(exitCode).toBe(ExitCode.badConfiguration);
  expect(await readFile(runFile, 'utf8')).toBe(before);
});

test('a worker with another dataset is refused with both fingerprints, and the run goes on', async () => {
  const root = await small.copyOfData('other');
  await writeFile(join(root, 'images', '001.Kind', '0.jpg'), await jpegPicture(99, 44));
  const settings = ['metadata.name=guarded', ...short].flatMap((setting) => ['--set', setting]);
  const coordinator = new CommandLine(['coordinator', small.runFile, ...settings], { cwd: small.folder });
  const { address } = await coordinator.line('waiting for workers');
  const worker = (data: string) =>
    runCommandLine(['worker', '--connect', String(address), '--data', data, '--cache', 'cache'], {
      cwd: small.folder,
    });
  const { exitCode, stderr } = await worker('other');
  expect(stderr).toMatch(
    /^fcaenet: [^\n]*refused[^\n]*dataset has fingerprint [0-9a-f]{12}…, the run's [0-9a-f]{12}…[^\n]*\n$/,
  );
  expect(exitCode).toBe(ExitCode.badConfiguration);
  expect((await worker('data')).exitCode).toBe(0);
  expect((await coordinator.ended).exitCode).toBe(0);
});
