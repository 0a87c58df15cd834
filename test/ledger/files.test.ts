import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import promises, { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { Disk, disk } from '../../src/disk/disk.js';
import { DiskWatch } from '../../src/disk/watch.js';
import type { LedgerHeader } from '../../src/ledger/entry.js';
import { Ledger, readLedgerUpTo } from '../../src/ledger/ledger.js';
import { readLedger } from '../../src/ledger/reader.js';
import { HangingDisk } from '../kit/hanging-disk.js';

const header: LedgerHeader = {
  format: 'fcaenet-ledger',
  formatVersion: 1,
  trainingHash: 'a',
  datasetFingerprint: 'b',
  arithmeticVersion: 1,
};
const stepAt = (globalStep: number) => ({
  term: 1,
  iteration: 0,
  epoch: 0,
  step: globalStep,
  globalStep,
  batch: 'c'.repeat(64),
  leaves: [4, 4],
  gradientSha256: String(globalStep).padStart(64, '0'),
});

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fcaenet-ledger-'));
  path = join(folder, 'ledger-000001.jsonl');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function record(ledger: Ledger, from: number, to: number): Promise<void> {
  for (let step = from; step < to; step++) await ledger.record(stepAt(step));
}

/** A ledger of some steps, and its lines. */
async function written(steps: number): Promise<string[]> {
  const ledger = await Ledger.open(path, [], header, null);
  await record(ledger, 0, steps);
  await ledger.sync();
  await ledger.close();
  return readFileSync(path, 'utf8').split('\n').slice(0, -1);
}

test('a new ledger holds its header before any step, whatever a killed process left', async () => {
  writeFileSync(`${path}.tmp`, 'half');
  const ledger = await Ledger.open(path, [], header, null);
  expect(await readLedger(path, header)).toMatchObject({ steps: [], lines: [expect.any(String)] });
  expect(existsSync(`${path}.tmp`)).toBe(false);
  await ledger.close();
});

test('of many steps the first are written before they are made durable, and all are read in order', async () => {
  const ledger = await Ledger.open(path, [], header, null);
  await record(ledger, 0, 100);
  const begun = readFileSync(path, 'utf8').length;
  await record(ledger, 100, 200);
  expect(readFileSync(path, 'utf8').length).toBeGreaterThan(begun);
  const hash = await ledger.sync();
  await ledger.close();
  const { steps, hashes } = await readLedger(path, header);
  expect(steps.map(({ globalStep }) => globalStep)).toEqual([...Array(200).keys()]);
  expect(hashes.at(-1)).toBe(hash);
});

test('a sync without a new step returns the hash of the last one', async () => {
  const ledger = await Ledger.open(path, [], header, null);
  await record(ledger, 0, 2);
  const hash = await ledger.sync();
  expect(await ledger.sync()).toBe(hash);
  await ledger.close();
  expect((await readLedger(path, header)).hashes).toHaveLength(3);
});

test('after lines that could not be written the next step is refused, and the ledger can be closed', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  // The first call writes the header.
  const hanging = new HangingDisk('writeFile', (call) => call === 2);
  const hangingDisk = new Disk(600, hanging.system, new DiskWatch(async () => {}));
  const ledger = await Ledger.open(path, [], header, null, () => hangingDisk);
  await record(ledger, 0, 1);
  const unwritten = {
    code: 'LEDGER_WRITE',
    message: `the ledger ${path} cannot be written (write of ${path} did not answer within 600 s)`,
  };
  const synced = ledger.sync();
  const refused = expect(synced).rejects.toMatchObject(unwritten);
  await hanging.heldDuring(synced);
  await vi.advanceTimersByTimeAsync(600_000);
  await refused;
  await expect(record(ledger, 1, 2)).rejects.toMatchObject(unwritten);
  await ledger.close();
});

test('a ledger that cannot be made durable names the system’s error', async () => {
  let isBroken = false;
  const open = async (...parameters: Parameters<typeof promises.open>) => {
    const handle = await promises.open(...parameters);
    const sync = handle.sync.bind(handle);
    handle.sync = () => (isBroken ? Promise.reject(Object.assign(new Error(), { code: 'EIO' })) : sync());
    return handle;
  };
  const ledger = await Ledger.open(path, [], header, null, () => new Disk(null, { ...promises, open }));
  isBroken = true;
  await expect(ledger.sync()).rejects.toMatchObject({
    code: 'LEDGER_WRITE',
    exitCode: 74,
    message: `the ledger ${path} cannot be written (EIO)`,
    cause: { code: 'EIO' },
  });
  await ledger.close();
});

test('what was opened is closed', async () => {
  const handles: promises.FileHandle[] = [];
  const open = async (...parameters: Parameters<typeof promises.open>) => {
    const handle = await promises.open(...parameters);
    handles.push(handle);
    return handle;
  };
  const ledger = await Ledger.open(path, [], header, null, () => new Disk(null, { ...promises, open }));
  expect(handles.some(({ fd }) => fd !== -1)).toBe(true);
  await ledger.close();
  expect(handles.every(({ fd }) => fd === -1)).toBe(true);
});

test('a checkpoint before the first step needs no ledger', async () => {
  const beginning = await readLedgerUpTo([], header, { steps: 0, hash: '' }, disk);
  const ledger = await Ledger.open(path, [], header, beginning);
  await record(ledger, 0, 1);
  await ledger.sync();
  await ledger.close();
  expect((await readLedger(path, header)).steps).toMatchObject([stepAt(0)]);
});

test('where no ledger leads to the checkpoint, the error is that of the highest term’s', async () => {
  await written(2);
  const other = join(folder, 'ledger-000000.jsonl');
  writeFileSync(other, '');
  const position = { steps: 3, hash: 'd'.repeat(64) };
  await expect(readLedgerUpTo([path, other], header, position, disk)).rejects.toMatchObject({
    code: 'LEDGER_MISMATCH',
  });
  await expect(readLedgerUpTo([other, path], header, position, disk)).rejects.toMatchObject({
    code: 'LEDGER_DAMAGED',
    message: `the ledger ${other} is empty`,
  });
});

test('an incomplete line is named by its number where it is needed', async () => {
  const lines = await written(3);
  writeFileSync(path, lines.join('\n'));
  await expect(readLedger(path, header)).rejects.toMatchObject({
    code: 'LEDGER_DAMAGED',
    message: `the ledger ${path} ends in the middle of line 4`,
  });
  await expect(readLedger(path, header, 3)).rejects.toMatchObject({ code: 'LEDGER_DAMAGED' });
  expect((await readLedger(path, header, 2)).lines).toEqual(lines.slice(0, 3));
});

test.each([
  ['trainingHash', 'a', 'x'],
  ['datasetFingerprint', 'b', 'x'],
  ['arithmeticVersion', 1, 2],
])('a ledger of another %s is refused', async (field, found, expected) => {
  await written(1);
  await expect(readLedger(path, { ...header, [field]: expected })).rejects.toMatchObject({
    code: 'LEDGER_FOREIGN',
    message: `the ledger ${path} belongs to a run with ${field} ${found}, expected ${expected}`,
  });
});

test('a ledger that cannot be read keeps the system’s error', async () => {
  await expect(readLedger(path, header)).rejects.toMatchObject({
    code: 'LEDGER_MISSING',
    exitCode: 65,
    cause: { code: 'ENOENT' },
  });
});
