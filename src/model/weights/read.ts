import { createHash } from 'node:crypto';
import { extname, join } from 'node:path';
import { decodeSafetensors } from '../../checkpoint/safetensors.js';
import { disk } from '../../disk/disk.js';
import { ExitCode } from '../../errors.js';
import { ModelError } from '../error.js';
import { isIgnored } from './expected.js';
import { readTfManifest, readWeights, type StoredTensor, type StoredTensors } from './tf-manifest.js';
import { readTorchFile } from './torch-file.js';

/** How a weight file is written, in words. */
export type WeightsFormat = 'TF.js manifest' | 'safetensors' | 'PyTorch';

export interface ReadWeights extends StoredTensors {
  readonly format: WeightsFormat;
}

/**
 * Reads a weight file of any known kind: a TF.js weights manifest (a folder with `model.json`, or that file),
 * `.safetensors`, or PyTorch's `.pth` and `.pt`. The classifier and PyTorch's batch counters are left out.
 *
 * @throws ModelError `MODEL_WEIGHTS_FORMAT` for another kind of file, `MODEL_WEIGHTS_DTYPE` for a tensor that is not of
 *   float32, and what the readers throw
 */
export async function readWeightsOfAnyKind(path: string): Promise<ReadWeights> {
  if (await isDirectory(path)) {
    return { ...(await readTfManifest(join(path, 'model.json'))), format: 'TF.js manifest' };
  }
  switch (extname(path)) {
    case '.json':
      return { ...(await readTfManifest(path)), format: 'TF.js manifest' };
    case '.safetensors':
      return { ...(await readSafetensorsWeights(path)), format: 'safetensors' };
    case '.pth':
    case '.pt':
      return { ...(await readTorchFile(path, isIgnored)), format: 'PyTorch' };
    default:
      throw new ModelError(
        'MODEL_WEIGHTS_FORMAT',
        `Weights ${path} are of an unknown kind, expected a folder with model.json, a .safetensors or a .pth file.`,
      );
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await disk.stat(path)).isDirectory();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new ModelError(
      'MODEL_WEIGHTS_UNREADABLE',
      code === 'ENOENT'
        ? `Weights ${path} do not exist: \`fcaenet weights fetch\` and \`weights convert\` make them, as docs/weights.md shows.`
        : `Weights ${path} cannot be read (${code}).`,
      { cause, exitCode: ExitCode.missingInput },
    );
  }
}

async function readSafetensorsWeights(path: string): Promise<StoredTensors> {
  const bytes = await readWeights(path);
  const tensors = new Map<string, StoredTensor>();
  for (const [name, { shape, data }] of Object.entries(decodeSafetensors(bytes, path).tensors)) {
    if (isIgnored(name)) continue;
    if (!(data instanceof Float32Array)) {
      throw new ModelError('MODEL_WEIGHTS_DTYPE', `Tensor ${name} in ${path} is not of type F32.`);
    }
    tensors.set(name, { shape, data });
  }
  return { tensors, sha256: createHash('sha256').update(bytes).digest('hex') };
}
