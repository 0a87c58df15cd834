import { basename, join } from 'node:path';
import { sha256OfPieces } from '../../checkpoint/pieces-sha256.js';
import { disk } from '../../disk/disk.js';
import { writePieces } from '../../disk/whole-file.js';
import { quote } from '../../errors.js';
import { ModelError } from '../error.js';
import type { PublishedWeights } from './catalogue.js';
import { download, type FetchOptions, fetchingInto, holdsPublished, orWithout, writing } from './fetch.js';
import { convertWeights } from './inspect.js';
import { parseManifest, readWeights } from './tf-manifest.js';

/**
 * Downloads a published TF.js manifest and its shards to `path.partial/`, which a later call continues. Writes the
 * backbone to `path` as one safetensors file after checking that file's SHA-256.
 * @returns whether anything was downloaded
 * @throws ModelError as `fetchWeights`, and the errors of reading and converting a manifest
 */
export async function fetchManifestWeights(
  published: PublishedWeights,
  path: string,
  options: FetchOptions = {},
): Promise<boolean> {
  if (await holdsPublished(path, published)) return false;
  await fetchingInto(path, (folder) => fetchInto(folder, path, published, options));
  return true;
}

async function fetchInto(
  folder: string,
  path: string,
  { name, url, sha256 }: PublishedWeights,
  { onProgress = () => {}, signal }: FetchOptions,
): Promise<void> {
  const manifest = join(folder, basename(new URL(url).pathname));
  await download(url, manifest, { signal });
  const text = await readWeights(manifest);
  const { weightsManifest } = await orWithout(manifest, () => readShards(url, manifest, text));
  const totalBytes =
    4 * sum(weightsManifest.flatMap(({ weights }) => weights.map(({ shape }) => product(shape))));
  let doneBytes = 0;
  for (const shard of weightsManifest.flatMap(({ paths }) => paths)) {
    let shardBytes = 0;
    await download(new URL(shard, url).href, join(folder, shard), {
      signal,
      onProgress: (done) => {
        shardBytes = done;
        onProgress(doneBytes + done, totalBytes);
      },
    });
    doneBytes += shardBytes;
  }
  const { pieces } = await orWithout(folder, () => convertWeights(manifest, { source: name }));
  const actual = sha256OfPieces(pieces);
  if (actual !== sha256) {
    await disk.remove(folder);
    throw new ModelError(
      'MODEL_WEIGHTS_DIGEST',
      `the backbone of ${url} has SHA-256 ${actual}, expected ${sha256}; nothing was kept`,
    );
  }
  await writing(path, async () => {
    const whole = join(folder, 'whole');
    await writePieces(disk, whole, pieces);
    await disk.rename(whole, path);
    await disk.remove(folder);
  });
}

function readShards(url: string, manifest: string, text: Buffer) {
  const parsed = parseManifest(manifest, text);
  // The server chooses these paths, so they must not lead out of the folder.
  const outside = parsed.weightsManifest
    .flatMap(({ paths }) => paths)
    .find((shard) => basename(shard) !== shard);
  if (outside === undefined) return parsed;
  throw new ModelError(
    'MODEL_WEIGHTS_MANIFEST',
    `${url} names the shard ${quote(outside)}, expected a file beside it`,
  );
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function product(values: readonly number[]): number {
  return values.reduce((total, value) => total * value, 1);
}
