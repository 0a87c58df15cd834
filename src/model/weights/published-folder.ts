import { createHash } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { quote } from '../../errors.js';
import { backbones } from '../../run/training-run.js';
import { ModelError } from '../error.js';
import { readWeights } from './tf-manifest.js';

/** The file of a folder of published weights that says what the folder has. */
export const manifestName = 'weights.json';
/** The largest manifest that is read. */
export const largestManifestBytes = 65_536;

/** A name without a path, so that a manifest cannot name a file outside its folder. */
const fileName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, 'a file name of letters, digits, ".", "_" and "-"')
  .refine((name) => name !== manifestName, `another file than ${manifestName}`);

const manifestSchema = z.object({
  format: z.literal('fcaenet-weights'),
  formatVersion: z.literal(1),
  /** of the run that trained them */
  name: z.string().min(1).max(200),
  backbone: z.enum(backbones),
  /** Factor of MobileNet's channel counts; 1 for ResNets. */
  width: z.number().positive(),
  /** Length of a code: the outputs of the hash layer. */
  bits: z.int().positive(),
  /** Height and width of the images of training, in pixels. */
  imageSize: z.int().positive(),
  /** What the network's inputs are, in words. */
  preprocessing: z.string(),
  /** Identifier of the licence, as Hugging Face and SPDX write it; `unknown` where nobody stated one. */
  license: z.string(),
  /** The safetensors file beside the manifest. */
  file: z.object({
    name: fileName,
    bytes: z.int().positive(),
    /** of the file's bytes, in hexadecimal */
    sha256: z.string().regex(/^[0-9a-f]{64}$/, '64 hexadecimal digits'),
  }),
});

/** What `weights.json` of a folder of published weights says. Fields that later versions add are ignored. */
export type PublishedManifest = z.infer<typeof manifestSchema>;

/**
 * @param source for messages: the path or the URL that the text came from
 * @throws ModelError `MODEL_WEIGHTS_MANIFEST`, naming the first field that is wrong
 */
export function parsePublishedManifest(source: string, text: Buffer): PublishedManifest {
  const fail = (reason: string, cause?: unknown) =>
    new ModelError('MODEL_WEIGHTS_MANIFEST', `${source} is not a manifest of published weights (${reason})`, {
      cause,
    });
  if (text.length > largestManifestBytes) {
    throw fail(`it has ${text.length} bytes, expected at most ${largestManifestBytes}`);
  }
  let raw: unknown;
  try {
    raw = JSON.parse(text.toString('utf8'));
  } catch (cause) {
    throw fail('it is not JSON', cause);
  }
  const parsed = manifestSchema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw fail(`${issue.path.join('.') || 'the document'}: ${issue.message}`, parsed.error);
}

/**
 * Reads the weights that a manifest names, and compares them with its digest.
 * @param path of `weights.json`
 * @returns the path of the safetensors file, its bytes and their SHA-256
 * @throws ModelError `MODEL_WEIGHTS_UNREADABLE`, `MODEL_WEIGHTS_MANIFEST`, `MODEL_WEIGHTS_DIGEST` when the file is not
 * the one that was published
 */
export async function readPublished(path: string): Promise<{ path: string; bytes: Buffer; sha256: string }> {
  const { file } = parsePublishedManifest(path, await readWeights(path));
  const weights = join(dirname(path), file.name);
  const bytes = await readWeights(weights);
  const actual = createHash('sha256').update(bytes).digest('hex');
  if (actual === file.sha256) return { path: weights, bytes, sha256: actual };
  throw new ModelError(
    'MODEL_WEIGHTS_DIGEST',
    `${weights} has SHA-256 ${actual}, but ${quote(basename(path))} beside it says ${file.sha256}: one of the two was changed or is incomplete`,
  );
}
