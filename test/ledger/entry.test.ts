import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { batchSha256, gradientSha256, readHeader, readStep } from '../../src/ledger/entry.js';
import { LedgerError } from '../../src/ledger/error.js';

const sha256 = (bytes: string | Uint8Array) => createHash('sha256').update(bytes).digest('hex');

const header = {
  format: 'fcaenet-ledger',
  formatVersion: 1,
  trainingHash: 'a',
  datasetFingerprint: 'b',
  arithmeticVersion: 1,
  previous: '0'.repeat(64),
};
const before = sha256('the line before');
const step = {
  term: 3,
  iteration: 1,
  epoch: 0,
  step: 2,
  globalStep: 6,
  batch: sha256('the batch'),
  leaves: [2, 3],
  gradientSha256: sha256('the gradient'),
  previous: before,
};

/** A line whose hash is right, whatever is in it. */
function line(content: object): string {
  return JSON.stringify({ ...content, hash: sha256(JSON.stringify(content)) });
}

test('a header and a step are read as they were written', () => {
  const { previous: _, ...headerContent } = header;
  expect(readHeader(line(header))).toEqual({ header: headerContent, hash: sha256(JSON.stringify(header)) });
  const { previous: __, ...stepContent } = step;
  expect(readStep(line(step), before, 6)).toEqual({ step: stepContent, hash: sha256(JSON.stringify(step)) });
});

test('the digest of a batch covers each microbatch’s index, the lengths of both its lists, and the lists', () => {
  const leaves = [
    { index: 0, anchors: [1, 2, 3, 4, 5, 6, 7, 8], positives: [9, 10, 11, 12] },
    { index: 258, anchors: [13, 14, 15, 16], positives: [] },
  ];
  // Three little-endian numbers of 32 bits, then the bytes.
  const bytes = leaves.flatMap(({ index, anchors, positives }) => [
    ...[index & 255, index >> 8, 0, 0],
    ...[anchors.length, 0, 0, 0],
    ...[positives.length, 0, 0, 0],
    ...anchors,
    ...positives,
  ]);
  const images = leaves.map(({ index, anchors, positives }) => ({
    index,
    anchors: Uint8Array.from(anchors),
    positives: Uint8Array.from(positives),
  }));
  expect(batchSha256(images)).toBe(sha256(Uint8Array.from(bytes)));
});

test('the digest of a gradient covers its little-endian float32 numbers', () => {
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setFloat32(0, -1.5, true);
  bytes.setFloat32(4, 1e-30, true);
  expect(gradientSha256(Float32Array.of(-1.5, 1e-30))).toBe(sha256(new Uint8Array(bytes.buffer)));
});

const first = 'the first line of the ledger';
test.each([
  ['no JSON', '{"format":', `${first} is not JSON`],
  ['no object', '5', `${first} has a wrong shape (Invalid input: expected object, received number)`],
  [
    'a field too many',
    line({ ...header, name: 'x' }),
    `${first} has a wrong shape (Unrecognized key: "name")`,
  ],
  [
    'another format',
    line({ ...header, format: 'safetensors' }),
    `${first} has a wrong format (Invalid input: expected "fcaenet-ledger")`,
  ],
  [
    'another version of the format',
    line({ ...header, formatVersion: 2 }),
    `${first} has a wrong formatVersion (Invalid input: expected 1)`,
  ],
  [
    'a number below zero',
    line({ ...header, arithmeticVersion: -1 }),
    `${first} has a wrong arithmeticVersion (Too small: expected number to be >=0)`,
  ],
  ['a changed value', line(header).replace('"a"', '"c"'), `${first} does not match its own hash`],
  ['a space', line(header).replace(':', ': '), `${first} does not match its own hash`],
  [
    'a field twice',
    line(header).replace(/}$/, `,"hash":"${sha256(JSON.stringify(header))}"}`),
    `${first} does not match its own hash`,
  ],
  [
    'a line before it',
    line({ ...header, previous: before }),
    `${first} follows the line with hash ${before.slice(0, 12)}…, but the line before it has 000000000000…`,
  ],
])('a header with %s is refused', (_, text, message) => {
  expect(() => readHeader(text)).toThrow(expect.objectContaining({ code: 'LEDGER_DAMAGED', message }));
});

const seventh = "the ledger's line for step 7";
test.each([
  ['no JSON', '', 'is not JSON'],
  ['a count of rows that is not whole', line({ ...step, leaves: [2, 2.5] }), 'has a wrong leaves.1 (Invalid'],
  ['a number as text', line({ ...step, term: '3' }), 'has a wrong term (Invalid'],
  ['a digest in capital letters', line({ ...step, batch: step.batch.toUpperCase() }), 'has a wrong batch ('],
  ['a digest of 63 digits', line({ ...step, batch: step.batch.slice(1) }), 'has a wrong batch ('],
  [
    'a digest with a letter before it',
    line({ ...step, gradientSha256: `x${step.batch}` }),
    'has a wrong gradientSha256 (',
  ],
  [
    'a digest with a letter behind it',
    line({ ...step, gradientSha256: `${step.batch}x` }),
    'has a wrong gradientSha256 (',
  ],
  ['a field left out', line({ ...step, epoch: undefined }), 'has a wrong epoch (Invalid'],
  ['a changed value', line(step).replace('"step":2', '"step":3'), 'does not match its own hash'],
  [
    'another line before it',
    line({ ...step, previous: step.batch }),
    `follows the line with hash ${step.batch.slice(0, 12)}…, but the line before it has ${before.slice(0, 12)}…`,
  ],
])('a step with %s is refused', (_, text, why) => {
  expect(() => readStep(text, before, 6)).toThrow(
    expect.objectContaining({
      code: 'LEDGER_DAMAGED',
      message: expect.stringContaining(`${seventh} ${why}`),
    }),
  );
});

test('the cause of a line that cannot be parsed stays attached', () => {
  expect(() => readStep('{', before, 6)).toThrow(expect.objectContaining({ cause: expect.any(SyntaxError) }));
  expect(() => readStep('{}', before, 6)).toThrow(
    expect.objectContaining({ cause: expect.objectContaining({ issues: expect.any(Array) }) }),
  );
});

test('an error of the ledger has its name, and the exit code of wrong data, or of a failed write', () => {
  const cause = new Error('cause');
  expect(new LedgerError('LEDGER_DAMAGED', 'damaged', { cause })).toMatchObject({
    name: 'LedgerError',
    exitCode: 65,
    cause,
  });
  expect(new LedgerError('LEDGER_WRITE', 'not written')).toMatchObject({ exitCode: 74 });
  expect(new LedgerError('LEDGER_WRITE', 'not written', { exitCode: 1 })).toMatchObject({ exitCode: 1 });
});
