import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  type CheckpointManifest,
  currentFormatVersion,
  decodeManifest,
  encodeManifest,
} from '../../src/checkpoint/manifest.js';

const manifest: CheckpointManifest = {
  format: 'fcaenet-checkpoint',
  formatVersion: currentFormatVersion,
  arithmeticVersion: 1,
  trainingHash: 'abc',
  term: 3,
  position: { iteration: 1, epoch: 2, step: 3, phase: 'train', globalStep: 450 },
  created: '2026-01-02T03:04:05.678Z',
  identity: null,
  metrics: { mAP: 0.1 + 0.2, loss: 1e-300 },
  files: [{ name: 'weights.safetensors', bytes: 12, sha256: 'a'.repeat(64) }],
};

test('a manifest comes back as it was', () => {
  expect(decodeManifest(encodeManifest(manifest))).toEqual(manifest);
});

test('no changed character goes unseen', () => {
  const text = encodeManifest(manifest);
  for (let i = 0; i < text.length; i++) {
    const damaged = `${text.slice(0, i)}${String.fromCharCode(text.charCodeAt(i) ^ 1)}${text.slice(i + 1)}`;
    expect(() => decodeManifest(damaged)).toThrow(expect.objectContaining({ code: 'CHECKPOINT_MANIFEST' }));
    expect(() => decodeManifest(text.slice(0, i))).toThrow(
      expect.objectContaining({ code: 'CHECKPOINT_MANIFEST' }),
    );
  }
});

test('a manifest is indented JSON whose digest covers all the rest without spaces', () => {
  const text = encodeManifest(manifest);
  const { digest, ...content } = JSON.parse(text);
  expect(content).toEqual(manifest);
  expect(digest).toBe(createHash('sha256').update(JSON.stringify(content)).digest('hex'));
  expect(text).toBe(`${JSON.stringify({ ...content, digest }, null, 2)}\n`);
});

test('a checkpoint of an earlier release, which names no version, is read', () => {
  expect(decodeManifest(encodeManifest({ ...manifest, version: '0.1.0' }))).toMatchObject({
    version: '0.1.0',
  });
  expect(decodeManifest(encodeManifest(manifest)).version).toBeUndefined();
});

const { position } = manifest;
const [file] = manifest.files;

test('a checkpoint before an evaluation is read', () => {
  const evaluating = { ...manifest, position: { ...position, phase: 'evaluate' as const } };
  expect(decodeManifest(encodeManifest(evaluating))).toEqual(evaluating);
});

test.each([
  ['format', { format: 'safetensors' }, 'format'],
  ['a version that is no number', { formatVersion: '2' }, 'formatVersion'],
  ['an arithmetic version that is not whole', { arithmeticVersion: 1.5 }, 'arithmeticVersion'],
  ['a number as training hash', { trainingHash: 1 }, 'trainingHash'],
  ['a negative term', { term: -1 }, 'term'],
  ['a negative iteration', { position: { ...position, iteration: -1 } }, 'position.iteration'],
  ['a negative epoch', { position: { ...position, epoch: -1 } }, 'position.epoch'],
  ['a negative step', { position: { ...position, step: -1 } }, 'position.step'],
  ['a negative global step', { position: { ...position, globalStep: -1 } }, 'position.globalStep'],
  ['another phase', { position: { ...position, phase: 'sleep' } }, 'position.phase'],
  ['a part of the position too many', { position: { ...position, leaf: 1 } }, 'position'],
  ['a date that is none', { created: 'yesterday' }, 'created'],
  ['a number as identity', { identity: 1 }, 'identity'],
  ['a metric that is no number', { metrics: { mAP: Number.NaN } }, 'metrics.mAP'],
  ['a file without a name', { files: [{ ...file, name: undefined }] }, 'files.0.name'],
  ['a file of a negative size', { files: [{ ...file, bytes: -1 }] }, 'files.0.bytes'],
  ['a short SHA-256', { files: [{ ...file, sha256: 'a'.repeat(63) }] }, 'files.0.sha256'],
  ['a long SHA-256', { files: [{ ...file, sha256: `${'a'.repeat(64)}b` }] }, 'files.0.sha256'],
  [
    'a SHA-256 with a letter before it',
    { files: [{ ...file, sha256: `x${'a'.repeat(64)}` }] },
    'files.0.sha256',
  ],
])('a manifest with %s is not written', (_, change, place) => {
  const written = () => encodeManifest({ ...manifest, ...change } as CheckpointManifest);
  expect(written).toThrow(
    expect.objectContaining({
      name: 'CheckpointError',
      code: 'CHECKPOINT_MANIFEST',
      message: expect.stringMatching(
        new RegExp(`^the manifest's ${place.replaceAll('.', String.raw`\.`)} is wrong \\(.+\\)$`),
      ),
      cause: expect.objectContaining({ issues: expect.any(Array) }),
    }),
  );
});

test.each([
  ['no JSON', '{', 'the manifest is "{", expected JSON'],
  ['a number', '5', 'the manifest is "5", expected a JSON object'],
  ['null', 'null', 'the manifest is "null", expected a JSON object'],
  ['no digest', '{}', 'the manifest has other bytes than its digest, expected those that were written'],
  ['a list', '[]', 'the manifest has other bytes than its digest, expected those that were written'],
])('a manifest that is %s is refused', (_, text, message) => {
  expect(() => decodeManifest(text)).toThrow(
    expect.objectContaining({ code: 'CHECKPOINT_MANIFEST', message }),
  );
});

test('the cause of text that is no JSON stays attached', () => {
  expect(() => decodeManifest('{')).toThrow(expect.objectContaining({ cause: expect.any(SyntaxError) }));
});

test('another format version is foreign', () => {
  const text = encodeManifest({ ...manifest, formatVersion: currentFormatVersion + 1 });
  expect(() => decodeManifest(text)).toThrow(
    expect.objectContaining({ code: 'CHECKPOINT_FOREIGN', message: 'the formatVersion is 3, expected 2' }),
  );
});
