import { createHash } from 'node:crypto';
import { z } from 'zod';
import { shortDigest } from '../errors.js';
import type { LeafImages } from '../schedule/leaf-images.js';
import { bytesOf } from '../transport/bytes.js';
import type { WireVector } from '../transport/wire-vector.js';
import { LedgerError } from './error.js';

const count = z.int().nonnegative();
const digest = z.string().regex(/^[0-9a-f]{64}$/);

const headerSchema = z.strictObject({
  format: z.literal('fcaenet-ledger'),
  formatVersion: z.literal(1),
  trainingHash: z.string(),
  datasetFingerprint: z.string(),
  arithmeticVersion: count,
});

const stepSchema = z.strictObject({
  /** Leadership term in which the step was done. */
  term: count,
  iteration: count,
  epoch: count,
  step: count,
  /** Steps before this one since the start of the run. */
  globalStep: count,
  /** SHA-256 of the batch's images, see {@link batchSha256}. */
  batch: digest,
  /** Rows of each non-empty microbatch, in order. */
  leaves: z.array(count),
  /**
   * SHA-256 of the summed gradient: little-endian, in the layout's order and the wire's precision; see
   * {@link gradientSha256}.
   */
  gradientSha256: digest,
});

const link = { previous: digest, hash: digest };
const linkedHeaderSchema = headerSchema.extend(link);
const linkedStepSchema = stepSchema.extend(link);

/** The first line: identifies the run. */
export type LedgerHeader = Readonly<z.infer<typeof headerSchema>>;
/** One applied step. */
export type LedgerStep = Readonly<z.infer<typeof stepSchema>>;

/** The "previous hash" of the first line. */
export const chainStart = '0'.repeat(64);

/** A line of the ledger, without newline, and its hash. */
export interface LedgerLine {
  readonly text: string;
  readonly hash: string;
}

/**
 * SHA-256 (hex) of the identities in a batch: for each microbatch its index, the byte lengths of its anchors and of its
 * positives (uint32), then both lists.
 */
export function batchSha256(leaves: Iterable<LeafImages>): string {
  const hash = createHash('sha256');
  for (const { index, anchors, positives } of leaves) {
    hash.update(bytesOf(Uint32Array.of(index, anchors.byteLength, positives.byteLength)));
    hash.update(anchors).update(positives);
  }
  return hash.digest('hex');
}

/** SHA-256 (hex) of a summed gradient `[parameters]`, as a step's `gradientSha256` has it. */
export function gradientSha256(gradient: WireVector): string {
  return createHash('sha256').update(bytesOf(gradient)).digest('hex');
}

/** Makes a line from its content and the previous line's hash. Its hash covers everything else in the line. */
export function ledgerLine(content: LedgerHeader | LedgerStep, previous: string): LedgerLine {
  const linked = { ...content, previous };
  const hash = createHash('sha256').update(JSON.stringify(linked)).digest('hex');
  return { text: JSON.stringify({ ...linked, hash }), hash };
}

/** @throws LedgerError LEDGER_DAMAGED unless the line is, byte for byte, a header that starts a chain */
export function readHeader(text: string): { header: LedgerHeader; hash: string } {
  const { content, hash } = readLine(text, linkedHeaderSchema, chainStart, 'the first line of the ledger');
  return { header: content, hash };
}

/** @throws LedgerError LEDGER_DAMAGED unless the line is, byte for byte, a step that follows `previous` */
export function readStep(
  text: string,
  previous: string,
  globalStep: number,
): { step: LedgerStep; hash: string } {
  const { content, hash } = readLine(
    text,
    linkedStepSchema,
    previous,
    `the ledger's line for step ${globalStep + 1}`,
  );
  return { step: content, hash };
}

function readLine<Linked extends { previous: string; hash: string }>(
  text: string,
  schema: z.ZodType<Linked>,
  previous: string,
  what: string,
): { content: Omit<Linked, 'previous' | 'hash'>; hash: string } {
  const damaged = (why: string, cause?: unknown) =>
    new LedgerError('LEDGER_DAMAGED', `${what} ${why}`, { cause });
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (error) {
    throw damaged('is not JSON', error);
  }
  const parsed = schema.safeParse(raw);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw damaged(
      `has a wrong ${issue.path.map(String).join('.') || 'shape'} (${issue.message})`,
      parsed.error,
    );
  }
  const { previous: foundPrevious, hash: foundHash, ...content } = parsed.data;
  const expected = ledgerLine(content as unknown as LedgerStep, foundPrevious);
  if (expected.text !== text) throw damaged('does not match its own hash');
  if (foundPrevious !== previous) {
    throw damaged(
      `follows the line with hash ${shortDigest(foundPrevious)}, but the line before it has ${shortDigest(previous)}`,
    );
  }
  return { content, hash: foundHash };
}
