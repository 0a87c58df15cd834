import { createHash } from 'node:crypto';
import { z } from 'zod';
import { quote } from '../errors.js';
import { CheckpointError } from './error.js';

/** Version of the checkpoint's files; another one is refused. */
export const currentFormatVersion = 2;

const count = z.int().nonnegative();
const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/);

/** The run's position: everything before this step is done. */
const positionSchema = z.strictObject({
  iteration: count,
  /** May be one past the iteration's last epoch: then its V-step is next. */
  epoch: count,
  step: count,
  /** `evaluate`: the iteration's V-step is done, and its evaluation, if due, is not. */
  phase: z.enum(['train', 'evaluate']),
  /** Optimiser steps since the start of the run. */
  globalStep: count,
});
export type RunPosition = Readonly<z.infer<typeof positionSchema>>;

const manifestSchema = z.strictObject({
  format: z.literal('fcaenet-checkpoint'),
  formatVersion: count,
  /** Increases with every change of the arithmetic that alters bits. */
  arithmeticVersion: count,
  /** Version of the fcaenet that started the run; older checkpoints do not have it. */
  version: z.string().optional(),
  /** Digest of all settings that the run's result depends on. */
  trainingHash: z.string(),
  /** Leadership term in which the checkpoint was written. */
  term: count,
  position: positionSchema,
  created: z.iso.datetime(),
  /** Numerical identity of the workers; null when they had different ones. */
  identity: z.string().nullable(),
  metrics: z.record(z.string(), z.number()),
  files: z.array(z.strictObject({ name: z.string(), bytes: count, sha256: sha256Schema })),
});

/** Describes a checkpoint and the required content of its files. */
export type CheckpointManifest = Readonly<z.infer<typeof manifestSchema>>;

/** Hexadecimal SHA-256 of some bytes. */
function sha256(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function serialize(content: object): string {
  const digest = sha256(JSON.stringify(content));
  return `${JSON.stringify({ ...content, digest }, null, 2)}\n`;
}

/**
 * The manifest's text. A digest over its own content detects damage to it, as its digests do for the files.
 * @throws CheckpointError `CHECKPOINT_MANIFEST` for content that could not be read back, such as a metric of NaN
 */
export function encodeManifest(manifest: CheckpointManifest): string {
  return serialize(checked(manifest));
}

/**
 * Reads a manifest's text.
 * @throws CheckpointError `CHECKPOINT_MANIFEST` unless it is, byte for byte, what `encodeManifest` writes;
 * `CHECKPOINT_FOREIGN` for another format version
 */
export function decodeManifest(text: string): CheckpointManifest {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (error) {
    throw new CheckpointError('CHECKPOINT_MANIFEST', `the manifest is ${quote(text)}, expected JSON`, {
      cause: error,
    });
  }
  if (typeof raw !== 'object' || raw === null) {
    throw new CheckpointError(
      'CHECKPOINT_MANIFEST',
      `the manifest is ${quote(text)}, expected a JSON object`,
    );
  }
  const { digest: _, ...content } = raw as Record<string, unknown>;
  if (serialize(content) !== text) {
    throw new CheckpointError(
      'CHECKPOINT_MANIFEST',
      'the manifest has other bytes than its digest, expected those that were written',
    );
  }
  if (content.formatVersion !== currentFormatVersion) {
    throw new CheckpointError(
      'CHECKPOINT_FOREIGN',
      `the formatVersion is ${String(content.formatVersion)}, expected ${currentFormatVersion}`,
    );
  }
  return checked(content);
}

function checked(content: object): CheckpointManifest {
  const parsed = manifestSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new CheckpointError(
    'CHECKPOINT_MANIFEST',
    `the manifest's ${issue.path.map(String).join('.')} is wrong (${issue.message})`,
    { cause: parsed.error },
  );
}
