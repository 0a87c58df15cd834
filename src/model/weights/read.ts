import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { decodeSafetensors } from '../../checkpoint/safetensors.js';
import { disk } from '../../disk/disk.js';
import { ExitCode, quote } from '../../errors.js';
import { isAbsent } from '../../run/presence.js';
import { ModelError } from '../error.js';
import { isIgnored } from './expected.js';
import { manifestName, readPublished } from './published-folder.js';
import { readTfManifest, readWeights, type StoredTensor, type StoredTensors } from './tf-manifest.js';
import { readTorchFile } from './torch-file.js';
import { unwrap } from './unwrap.js';
import { type FloatType, widen } from './widen.js';

/** Format of a weight file. */
export type WeightsFormat = 'TF.js manifest' | 'safetensors' | 'PyTorch' | 'published weights';

export interface ReadWeights extends StoredTensors {
  readonly format: WeightsFormat;
  /** How the file's tensors were changed, one sentence each; usually empty. */
  readonly changes: readonly string[];
}

/** File name endings in lower case, with their format. */
const formats: readonly (readonly [string, WeightsFormat])[] = [
  ['.json', 'TF.js manifest'],
  ['.safetensors', 'safetensors'],
  ['.pth', 'PyTorch'],
  ['.pt', 'PyTorch'],
  ['.bin', 'PyTorch'],
  ['.pth.tar', 'PyTorch'],
];

/**
 * Reads a weight file of any known kind: a folder of published weights (with `weights.json`), a TF.js weights manifest
 * (a folder with `model.json`, or that file), `.safetensors`, or PyTorch's `.pth`, `.pt`, `.bin` and `.pth.tar`. Drops the classifier and PyTorch's batch counters,
 * removes a wrapper's prefix from the names, and converts float16 and bfloat16 to float32.
 * @throws ModelError `MODEL_WEIGHTS_FORMAT` for another kind of file, `MODEL_WEIGHTS_DTYPE` for a tensor of another
 * type, and the errors of the readers
 */
export async function readWeightsOfAnyKind(path: string): Promise<ReadWeights> {
  const { format, file } = await findFile(path);
  const read = await readers[format](file);
  const { tensors, prefix } = unwrap(read.tensors);
  const narrow = new Set([...tensors.values()].map(({ type }) => type).filter((type) => type !== 'F32'));
  const changes = [
    ...(prefix === '' ? [] : [`the prefix ${quote(prefix)} of all tensor names is removed`]),
    ...[...narrow].map((type) => `tensors of type ${type} are converted to float32`),
  ];
  return { tensors, sha256: read.sha256, format, changes };
}

const readers: Readonly<Record<WeightsFormat, (path: string) => Promise<StoredTensors>>> = {
  'TF.js manifest': readTfManifest,
  safetensors: readSafetensorsWeights,
  'published weights': readPublishedTensors,
  PyTorch: (path) => readTorchFile(path, isIgnored),
};

/** The format of the weights at a path, and the file that their reader takes. */
async function findFile(path: string): Promise<{ format: WeightsFormat; file: string }> {
  if (!(await isDirectory(path))) return { format: formatOf(path), file: path };
  const manifest = join(path, manifestName);
  return (await isAbsent(manifest))
    ? { format: 'TF.js manifest', file: join(path, 'model.json') }
    : { format: 'published weights', file: manifest };
}

function formatOf(path: string): WeightsFormat {
  const name = path.toLowerCase();
  const found = formats.find(([ending]) => name.endsWith(ending));
  if (found) return found[1];
  throw new ModelError(
    'MODEL_WEIGHTS_FORMAT',
    `weights ${path} have an unknown format, expected a folder with weights.json or model.json, or a name that ends in ${formats.map(([ending]) => ending).join(', ')}`,
  );
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await disk.stat(path)).isDirectory();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new ModelError(
      'MODEL_WEIGHTS_UNREADABLE',
      code === 'ENOENT'
        ? `weights ${path} do not exist: create them with \`fcaenet weights fetch\` or \`weights convert\` (docs/weights.md)`
        : `weights ${path} cannot be read (${code})`,
      { cause, exitCode: ExitCode.missingInput },
    );
  }
}

async function readSafetensorsWeights(path: string): Promise<StoredTensors> {
  const bytes = await readWeights(path);
  return { tensors: tensorsIn(bytes, path), sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** @throws ModelError the errors of `readPublished` and of safetensors files */
async function readPublishedTensors(manifest: string): Promise<StoredTensors> {
  const { path, bytes, sha256 } = await readPublished(manifest);
  return { tensors: tensorsIn(bytes, path), sha256 };
}

function tensorsIn(bytes: Buffer, path: string): Map<string, StoredTensor> {
  const tensors = new Map<string, StoredTensor>();
  const file = decodeSafetensors(bytes, path);
  for (const [name, { shape, data }] of Object.entries(file.tensors)) {
    if (isIgnored(name)) continue;
    const type = file.types[name]!;
    if (data instanceof Float32Array) tensors.set(name, { shape, data, type: 'F32' });
    else if (data instanceof Uint16Array) {
      const narrow = type as Exclude<FloatType, 'F32'>;
      tensors.set(name, { shape, data: widen(narrow, data), type: narrow });
    } else {
      throw new ModelError(
        'MODEL_WEIGHTS_DTYPE',
        `tensor ${name} in ${path} is of type ${type}, expected F32, F16 or BF16`,
      );
    }
  }
  return tensors;
}
