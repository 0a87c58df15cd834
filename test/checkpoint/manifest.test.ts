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

test('what could not be read back is not written', () => {
  const write = (change: object) => () => encodeManifest({ ...manifest, ...change });
  expect(write({ metrics: { mAP: Number.NaN } })).toThrow("The manifest's metrics.mAP is wrong");
  expect(write({ position: { ...manifest.position, step: -1 } })).toThrow('position.step');
});

test('another format version is foreign', () => {
  const text = encodeManifest({ ...manifest, formatVersion: currentFormatVersion + 1 });
  expect(() => decodeManifest(text)).toThrow(
    expect.objectContaining({ code: 'CHECKPOINT_FOREIGN', message: 'The formatVersion is 3, expected 2.' }),
  );
});
