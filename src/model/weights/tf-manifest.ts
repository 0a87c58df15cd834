import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { disk } from '../../disk/disk.js';
import { whyUnread } from '../../disk/input-file.js';
import { ExitCode } from '../../errors.js';
import { ModelError } from '../error.js';
import type { FloatType } from './widen.js';

/** A tensor as a weight file stores it. */
export interface StoredTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
  /** of the numbers in the file */
  readonly type: FloatType;
}

/** All tensors of a weight file by name, and the SHA-256 of its bytes in hexadecimal. */
export interface StoredTensors {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly sha256: string;
}

const manifestSchema = z.object({
  weightsManifest: z.array(
    z.object({
      paths: z.array(z.string()),
      weights: z.array(
        z.object({
          name: z.string(),
          shape: z.array(z.number().int().nonnegative()),
          dtype: z.literal('float32'),
          quantization: z.never('quantised weights are not supported').optional(),
        }),
      ),
    }),
  ),
});

/**
 * Reads a TF.js weights manifest (`model.json` and its shards): little-endian float32, each group's shards
 * concatenated. The digest covers `model.json` and then every shard in the manifest's order.
 * @throws ModelError `MODEL_WEIGHTS_UNREADABLE` for a missing or unreadable file, `MODEL_WEIGHTS_MANIFEST` when the
 * file is not a manifest of float32 weights or the shards' length does not match its shapes
 */
export async function readTfManifest(path: string): Promise<StoredTensors> {
  const text = await readWeights(path);
  const digest = createHash('sha256').update(text);
  const tensors = new Map<string, StoredTensor>();
  for (const group of parseManifest(path, text).weightsManifest) {
    const shards = [];
    for (const shard of group.paths) shards.push(await readWeights(join(dirname(path), shard)));
    for (const shard of shards) digest.update(shard);
    const bytes = Buffer.concat(shards);
    let position = 0;
    for (const { name, shape } of group.weights) {
      const length = shape.reduce((product, extent) => product * extent, 1);
      if (position + 4 * length <= bytes.length) {
        const data = new Float32Array(length);
        for (let i = 0; i < length; i++) data[i] = bytes.readFloatLE(position + 4 * i);
        tensors.set(name, { shape, data, type: 'F32' });
      }
      position += 4 * length;
    }
    if (position !== bytes.length) {
      throw new ModelError(
        'MODEL_WEIGHTS_MANIFEST',
        `shards ${group.paths.join(', ')} of ${path} hold ${bytes.length} bytes, expected ${position}`,
      );
    }
  }
  return { tensors, sha256: digest.digest('hex') };
}

/** @throws ModelError `MODEL_WEIGHTS_MANIFEST` */
export function parseManifest(path: string, text: Buffer): z.infer<typeof manifestSchema> {
  try {
    // The decoder removes a byte order mark, which JSON does not allow.
    return manifestSchema.parse(JSON.parse(new TextDecoder().decode(text)));
  } catch (cause) {
    const reason =
      cause instanceof z.ZodError
        ? `${cause.issues[0]!.path.join('.')}: ${cause.issues[0]!.message}`
        : String((cause as Error).message);
    throw new ModelError(
      'MODEL_WEIGHTS_MANIFEST',
      `${path} is not a TF.js manifest of float32 weights (${reason})`,
      { cause },
    );
  }
}

/** Reads a whole file of weights. */
export async function readWeights(path: string): Promise<Buffer> {
  try {
    return await disk.readInput(path);
  } catch (cause) {
    throw new ModelError('MODEL_WEIGHTS_UNREADABLE', `weights ${path} ${whyUnread(cause)}`, {
      cause,
      exitCode: ExitCode.missingInput,
    });
  }
}
