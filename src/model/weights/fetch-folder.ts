import { basename, join } from 'node:path';
import { disk } from '../../disk/disk.js';
import { ExitCode } from '../../errors.js';
import { isAbsent } from '../../run/presence.js';
import { ModelError } from '../error.js';
import { digestOf, download, type FetchOptions, fetchingInto, orWithout, writing } from './fetch.js';
import { largestManifestBytes, manifestName, parsePublishedManifest } from './published-folder.js';
import { readWeights } from './tf-manifest.js';

/** The URL of the manifest of a folder of published weights, where a user names the folder or the manifest. */
export function manifestUrl(url: string): URL {
  const parsed = new URL(url);
  if (basename(parsed.pathname) !== manifestName) {
    parsed.pathname = `${parsed.pathname.replace(/\/+$/, '')}/${manifestName}`;
  }
  return parsed;
}

/**
 * Downloads a folder that `fcaenet weights publish` wrote: `weights.json` and the safetensors file that it names. The
 * files go to `path.partial/` first, which a later call continues. The folder gets its name after the SHA-256 of the
 * weights was compared with the manifest.
 * @param url of the folder or of its `weights.json`
 * @param path of the new folder
 * @returns whether anything was downloaded
 * @throws ModelError as `fetchWeights`, and `MODEL_WEIGHTS_MANIFEST`
 */
export async function fetchPublishedFolder(
  url: string,
  path: string,
  options: FetchOptions = {},
): Promise<boolean> {
  const source = manifestUrl(url);
  let isNew = false;
  await fetchingInto(path, async (folder) => {
    isNew = await fetchInto(folder, path, source, options);
  });
  return isNew;
}

async function fetchInto(
  folder: string,
  path: string,
  source: URL,
  { onProgress, signal }: FetchOptions,
): Promise<boolean> {
  const manifest = join(folder, manifestName);
  // It may have changed since an earlier call.
  await writing(folder, () => disk.remove(manifest));
  await download(source.href, manifest, { signal, mostBytes: largestManifestBytes });
  const text = await readWeights(manifest);
  const { file } = await orWithout(manifest, () => parsePublishedManifest(source.href, text));
  if (!(await isAbsent(path))) {
    await disk.remove(folder);
    if (await holds(path, text, file)) return false;
    throw new ModelError('MODEL_WEIGHTS_EXISTS', `${path} exists and differs from the published weights`, {
      exitCode: ExitCode.cannotCreate,
    });
  }
  const weights = join(folder, file.name);
  const weightsUrl = new URL(file.name, source);
  await download(weightsUrl.href, weights, { onProgress, signal, wholeBytes: file.bytes });
  const actual = await digestOf(weights);
  if (actual !== file.sha256) {
    await disk.remove(folder);
    throw new ModelError(
      'MODEL_WEIGHTS_DIGEST',
      `${weightsUrl.href} has SHA-256 ${actual}, expected ${file.sha256}; nothing was kept`,
    );
  }
  await writing(path, () => disk.rename(folder, path));
  return true;
}

/** Whether a folder has this manifest and the weights of it. */
async function holds(
  folder: string,
  manifest: Buffer,
  { name, sha256 }: { readonly name: string; readonly sha256: string },
): Promise<boolean> {
  const paths = [join(folder, manifestName), join(folder, name)] as const;
  for (const path of paths) if (await isAbsent(path)) return false;
  return manifest.equals(await readWeights(paths[0])) && (await digestOf(paths[1])) === sha256;
}
