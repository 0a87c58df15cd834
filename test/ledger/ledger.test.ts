import { createHash } from 'node:crypto';
import { existsSync, type RmOptions, readFileSync, writeFileSync } from 'node:fs';
import system, { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { KeyedRandom } from '../../src/data/random.js';
import { TripletSampler } from '../../src/data/sampler.js';
import { Disk, disk, OpenFile } from '../../src/disk/disk.js';
import { DiskWatch } from '../../src/disk/watch.js';
import { proveSamples } from '../../src/inspection/prove.js';
import { batchSha256, type LedgerHeader, type LedgerStep, ledgerLine } from '../../src/ledger/entry.js';
import { Ledger, type LedgerPosition, readLedgerUpTo } from '../../src/ledger/ledger.js';
import { readLedger } from '../../src/ledger/reader.js';
import { ReductionTree } from '../../src/reduction/tree.js';
import { parseTrainingRun } from '../../src/run/read.js';
import { leafImages } from '../../src/schedule/leaf-images.js';
import { HangingDisk } from '../kit/hanging-disk.js';

const header: LedgerHeader = {
  format: 'fcaenet-ledger',
  formatVersion: 1,
  trainingHash: 'a',
  datasetFingerprint: 'b',
  arithmeticVersion: 1,
};
/** Two iterations of two epochs of three steps: 20 samples in batches of 8. */
const { spec } = parseTrainingRun(
  JSON.stringify({
    apiVersion: 'fcaenet.dev/v1',
    kind: 'TrainingRun',
    metadata: { name: 'ledger' },
    spec: {
      preset: 'quick',
      dataset: { path: 'data', sampleSize: 20 },
      schedule: { iterations: 2, epochs: 2, batchSize: 8, microbatches: 3, decayAfter: [] },
    },
  }),
  'ledger.yaml',
);
const sampler = new TripletSampler({
  random: new KeyedRandom(spec.seed),
  labels: Int32Array.from({ length: 30 }, (_, image) => image % 5),
  classCount: 5,
  sampleSize: 20,
  batchSize: 8,
});
const steps: LedgerStep[] = [];
for (const iteration of [0, 1]) {
  for (const epoch of [0, 1]) {
    for (const step of [0, 1, 2]) {
      const batch = sampler.batch(iteration, epoch, step);
      const tree = new ReductionTree(batch.anchors.length, 3);
      steps.push({
        term: 1 + iteration,
        iteration,
        epoch,
        step,
        globalStep: steps.length,
        batch: batchSha256(leafImages(tree, batch, true)),
        leaves: tree.leaves.map((leaf) => tree.rowCount(leaf)),
        gradientSha256: createHash('sha256').update(Float32Array.of(steps.length)).digest('hex'),
      });
    }
  }
}

let folder: string;
let path: string;
/** The next term's. */
let next: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fcaenet-ledger-'));
  path = join(folder, 'ledger-000001.jsonl');
  next = join(folder, 'ledger-000002.jsonl');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Records steps `from` to `to` and returns the chain's hash there. */
async function write(ledger: Ledger, from: number, to: number): Promise<string> {
  for (const step of steps.slice(from, to)) await ledger.record(step);
  return ledger.sync();
}

/** The next term's ledger, after what the earlier ones hold up to a checkpoint. */
async function goOn(earlier: string[], expected: LedgerHeader, position: LedgerPosition): Promise<Ledger> {
  return Ledger.open(next, earlier, expected, await readLedgerUpTo(earlier, expected, position, disk));
}

async function wholeLedger(): Promise<string[]> {
  const ledger = await Ledger.open(path, [], header, null);
  await write(ledger, 0, steps.length);
  await ledger.close();
  return readFileSync(path, 'utf8').split('\n').slice(0, -1);
}

test('what is recorded is read back, and proves that each sample was used once per epoch', async () => {
  await wholeLedger();
  const read = await readLedger(path, header);
  expect(read.steps).toEqual(steps);
  expect(() => proveSamples(spec, sampler, read.steps)).not.toThrow();
});

test('a ledger is cut back to a checkpoint, and what follows continues its chain', async () => {
  const first = await Ledger.open(path, [], header, null);
  const hash = await write(first, 0, 5);
  await write(first, 5, 8);
  await first.close();
  const second = await goOn([path], header, { steps: 5, hash });
  await write(second, 5, steps.length);
  await second.close();
  expect((await readLedger(next, header)).steps).toEqual(steps);
  expect(existsSync(path)).toBe(false);
});

test('a last line that a kill cut in two does not matter after the checkpoint', async () => {
  const lines = await wholeLedger();
  const { hash } = JSON.parse(lines[5]!) as { hash: string };
  writeFileSync(path, `${lines.slice(0, 6).join('\n')}\n${lines[6]!.slice(0, 100)}`);
  const ledger = await goOn([path], header, { steps: 5, hash });
  await write(ledger, 5, steps.length);
  await ledger.close();
  expect(readFileSync(next, 'utf8')).toBe(`${lines.join('\n')}\n`);
});

test('who still has the ledger open after another took it over writes to nothing that is read', async () => {
  const old = await Ledger.open(path, [], header, null);
  const hash = await write(old, 0, 3);
  const successor = await goOn([path], header, { steps: 3, hash });
  await write(old, 3, 6);
  await write(successor, 3, 4);
  await Promise.all([old.close(), successor.close()]);
  expect((await readLedger(next, header)).steps).toEqual(steps.slice(0, 4));
});

test('a resumed ledger that does not lead to the checkpoint is refused', async () => {
  const lines = await wholeLedger();
  const { hash } = JSON.parse(lines[5]!) as { hash: string };
  const open = (position: { steps: number; hash: string }, expected = header) =>
    goOn([path], expected, position);
  await expect(open({ steps: 4, hash })).rejects.toMatchObject({
    code: 'LEDGER_MISMATCH',
    message: expect.stringMatching(/has hash \S+ after step 4, but the checkpoint was written at /),
  });
  await expect(open({ steps: 99, hash })).rejects.toMatchObject({
    code: 'LEDGER_MISMATCH',
    message: expect.stringMatching(/ends after step 12, but the checkpoint was written after step 99$/),
  });
  await expect(open({ steps: 5, hash }, { ...header, trainingHash: 'c' })).rejects.toMatchObject({
    code: 'LEDGER_FOREIGN',
    message: expect.stringMatching(/trainingHash a, expected c$/),
  });
  await rm(path);
  await expect(open({ steps: 5, hash })).rejects.toMatchObject({
    code: 'LEDGER_MISSING',
    message: expect.stringMatching(/ledger-000001\.jsonl cannot be read \(ENOENT\)$/),
  });
});

test('of several ledgers the highest term’s that leads to the checkpoint is continued', async () => {
  const lines = await wholeLedger();
  const { hash } = JSON.parse(lines[5]!) as { hash: string };
  const stray = join(folder, 'ledger-000000.jsonl');
  writeFileSync(stray, 'written by a coordinator that had been replaced\n');
  const ledger = await goOn([stray, path], header, { steps: 5, hash });
  await write(ledger, 5, steps.length);
  await ledger.close();
  expect((await readLedger(next, header)).steps).toEqual(steps);
  await expect(goOn([], header, { steps: 5, hash })).rejects.toMatchObject({
    code: 'LEDGER_MISSING',
    message: 'there is no ledger, but the checkpoint was written after step 5',
  });
});

test('a ledger whose file does not answer for ten minutes is an error that another process may not meet', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  // The first two make the empty ledger durable.
  const hanging = new HangingDisk('sync', (call) => call === 3);
  const hangingDisk = new Disk(600, hanging.system, new DiskWatch(async () => {}));
  const ledger = await Ledger.open(path, [], header, null, () => hangingDisk);
  const recorded = write(ledger, 0, 1);
  const refused = expect(recorded).rejects.toMatchObject({
    code: 'LEDGER_WRITE',
    exitCode: 1,
    message: `the ledger ${path} cannot be written (fsync of ${path} did not answer within 600 s)`,
  });
  await hanging.heldDuring(recorded);
  await vi.advanceTimersByTimeAsync(600_000);
  await refused;
  await ledger.close();
  // The descriptor is closed when the disk answers after all.
  await hanging.release();
});

test('a ledger whose predecessor cannot be removed is an error, and leaves no file open', async () => {
  const close = vi.spyOn(OpenFile.prototype, 'close');
  onTestFinished(() => close.mockRestore());
  const stuck = new Disk(null, {
    ...system,
    rm: (target: string, options: RmOptions) =>
      target === 'earlier' ? Promise.reject(new Error('EBUSY')) : system.rm(target, options),
  } as typeof system);
  const opened = vi.spyOn(stuck, 'open');
  await expect(Ledger.open(path, ['earlier'], header, null, () => stuck)).rejects.toMatchObject({
    code: 'LEDGER_WRITE',
  });
  expect(close).toHaveBeenCalledTimes(opened.mock.calls.length);
});

test('a ledger that cannot be written is an error', async () => {
  await expect(Ledger.open(join(folder, 'nowhere', 'ledger.jsonl'), [], header, null)).rejects.toMatchObject({
    code: 'LEDGER_WRITE',
    exitCode: 74,
    message: expect.stringMatching(/cannot be written \(ENOENT\)$/),
  });
});

test('any flipped byte is found', async () => {
  await wholeLedger();
  const bytes = readFileSync(path);
  // Every byte of the first and the last line, and the ends of all lines.
  const lineLength = bytes.lastIndexOf('\n', -2);
  const ends = [...bytes.keys()].filter((at) => bytes[at] === 10);
  const places = [...Array(ends[0]! + 1).keys(), ...ends, ...[...bytes.keys()].slice(lineLength)];
  for (const place of places) {
    const damaged = Buffer.from(bytes);
    damaged[place]! ^= 1 + (place % 255);
    writeFileSync(path, damaged);
    const proof = readLedger(path, header).then((read) => proveSamples(spec, sampler, read.steps));
    await expect(proof, `byte ${place}`).rejects.toMatchObject({
      code: expect.stringMatching(/^LEDGER_(DAMAGED|FOREIGN)$/),
    });
  }
});

const changes: [string, (lines: string[]) => string[], RegExp][] = [
  ['dropped', (lines) => lines.toSpliced(4, 1), /^the ledger's line for step 4 follows the line with hash/],
  ['repeated', (lines) => lines.toSpliced(4, 0, lines[4]!), /^the ledger's line for step 5 follows the line/],
  [
    'swapped',
    (lines) => lines.toSpliced(4, 2, lines[5]!, lines[4]!),
    /^the ledger's line for step 4 follows/,
  ],
  ['the first', (lines) => lines.slice(1), /^the first line of the ledger has a wrong format/],
];
test.each(changes)('a line is %s: found', async (_, change, sentence) => {
  writeFileSync(path, `${change(await wholeLedger()).join('\n')}\n`);
  await expect(readLedger(path, header)).rejects.toMatchObject({ code: 'LEDGER_DAMAGED', message: sentence });
});

test('an empty ledger is damaged', async () => {
  writeFileSync(path, '');
  await expect(readLedger(path, header)).rejects.toMatchObject({ code: 'LEDGER_DAMAGED' });
});

/** What a chain that was calculated anew cannot hide. */
const forgeries: [string, string, (forged: LedgerStep[]) => LedgerStep[], RegExp][] = [
  [
    'a step left out',
    'LEDGER_STEP',
    (s) => s.toSpliced(4, 1),
    /^step 5 has step 2 in the ledger, expected 1$/,
  ],
  [
    'a step twice',
    'LEDGER_STEP',
    (s) => s.toSpliced(4, 0, s[4]!),
    /^step 6 has step 1 in the ledger, expected 2$/,
  ],
  [
    'a step too many',
    'LEDGER_STEP',
    (s) => [...s, s[0]!],
    /^the ledger has step 13, but the run has 12 steps$/,
  ],
  [
    'a falling term',
    'LEDGER_STEP',
    (s) => s.with(3, { ...s[3]!, term: 0 }),
    /^step 4 was done under term 0, after a step of term 1$/,
  ],
  [
    'other samples',
    'LEDGER_SAMPLES',
    (s) => s.with(3, { ...s[3]!, batch: s[4]!.batch }),
    /^step 4 used samples with digest \S+, but the run's keys select /,
  ],
  [
    'other microbatches',
    'LEDGER_SAMPLES',
    (s) => s.with(3, { ...s[3]!, leaves: [8] }),
    /^step 4 used microbatches of 8 rows, expected 2, 3, 3$/,
  ],
  [
    'steps missing at the end',
    'LEDGER_UNFINISHED',
    (s) => s.slice(0, 7),
    /^the ledger ends after 7 of the run's 12 steps$/,
  ],
];
test.each(forgeries)('%s: %s', (_, code, forge, sentence) => {
  expect(() => proveSamples(spec, sampler, forge(steps))).toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(sentence) }),
  );
});

test.each([
  [
    'repeat a sample',
    /^step 1 used sample 7 of its epoch a second time$/,
    (positions: Int32Array<ArrayBuffer>) => positions.fill(7),
  ],
  [
    'leave a sample out',
    /^sample 0 was not used in the epoch that step 3 ends$/,
    (positions: Int32Array<ArrayBuffer>) => positions.filter((row) => row > 0),
  ],
])('keys that %s are found', (_, sentence, change) => {
  const keys = {
    batches: () => sampler.batches(),
    batch: (iteration: number, epoch: number, step: number) => {
      const batch = sampler.batch(iteration, epoch, step);
      return { ...batch, positions: change(batch.positions.slice()) };
    },
  };
  expect(() => proveSamples(spec, keys, steps)).toThrow(
    expect.objectContaining({ code: 'LEDGER_SAMPLES', message: expect.stringMatching(sentence) }),
  );
});

test('the hash of a line covers everything in it', () => {
  const { text, hash } = ledgerLine(steps[0]!, 'f'.repeat(64));
  const { hash: found, ...content } = JSON.parse(text) as { hash: string };
  expect(found).toBe(hash);
  expect(hash).toBe(createHash('sha256').update(JSON.stringify(content)).digest('hex'));
});
