import { dirname, extname } from 'node:path';
import { openConsole } from '../console/console.js';
import { onInterrupt } from '../console/interrupt.js';
import type { ProgressTask } from '../console/progress.js';
import { disk } from '../disk/disk.js';
import { syncDirectory, writePieces } from '../disk/whole-file.js';
import { ExitCode } from '../errors.js';
import { ModelError } from '../model/error.js';
import { findPublished } from '../model/weights/catalogue.js';
import { fetchWeights } from '../model/weights/fetch.js';
import { fetchManifestWeights } from '../model/weights/fetch-manifest.js';
import { convertWeights, inspectWeights } from '../model/weights/inspect.js';
import type { FetchWeightsOptions } from './weights.js';

/** `fcaenet weights check`. Throws the errors of `inspectWeights`. */
export async function checkWeights(path: string): Promise<void> {
  const report = await inspectWeights(path);
  openConsole('result').log.info('weights', { path, ...report });
}

/**
 * `fcaenet weights convert`. Writes the output completely or not at all.
 * @throws ModelError `MODEL_WEIGHTS_FORMAT` for another ending than .safetensors, `MODEL_WEIGHTS_EXISTS`,
 * `MODEL_WEIGHTS_WRITE`, and the errors of `convertWeights`
 */
export async function convertWeightsFile(path: string, output: string): Promise<void> {
  if (extname(output) !== '.safetensors') {
    throw new ModelError(
      'MODEL_WEIGHTS_FORMAT',
      `The output is ${output}, expected a name that ends in .safetensors.`,
      {
        exitCode: ExitCode.usage,
      },
    );
  }
  const { report, pieces } = await convertWeights(path);
  await writeNew(output, pieces);
  openConsole('beside').log.info('weights converted', { path, output, ...report });
}

/** `fcaenet weights fetch`: downloads, checks the digest, then the tensors. Throws the errors of these steps. */
export async function fetchPublishedWeights(name: string, { output }: FetchWeightsOptions): Promise<void> {
  const published = findPublished(name);
  const path = output ?? published.file;
  const fetch = published.url.endsWith('.json') ? fetchManifestWeights : fetchWeights;
  const console = openConsole('beside');
  const leave = new AbortController();
  const restoreSignals = onInterrupt(() =>
    leave.abort(new Error('interrupted; run the command again to continue')),
  );
  let task: ProgressTask | undefined;
  try {
    const downloaded = await fetch(published, path, {
      signal: leave.signal,
      onProgress: (done, total) => {
        if (total === undefined) return;
        task ??= console.startTask({ name: 'fetching', total: toMegabytes(total), unit: 'MB' });
        task.update(toMegabytes(done));
      },
    });
    task?.finish();
    console.log.info(downloaded ? 'weights fetched' : 'weights exist already', {
      path,
      ...(await inspectWeights(path)),
    });
  } finally {
    restoreSignals();
    console.close();
  }
}

function toMegabytes(bytes: number): number {
  return Math.round(bytes / 1e5) / 10;
}

/** Writes a new file and its folder. Writes beside its path, then links it there, which fails when the path exists. */
async function writeNew(path: string, pieces: readonly Uint8Array[]): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await disk.makeFolder(dirname(path));
    await writePieces(disk, temporary, pieces);
    await disk.link(temporary, path);
    await syncDirectory(disk, dirname(path));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw code === 'EEXIST'
      ? new ModelError('MODEL_WEIGHTS_EXISTS', `${path} exists already.`, {
          cause,
          exitCode: ExitCode.cannotCreate,
        })
      : new ModelError('MODEL_WEIGHTS_WRITE', `${path} cannot be written (${code}).`, {
          cause,
          exitCode: ExitCode.cannotCreate,
        });
  } finally {
    await disk.remove(temporary).catch(() => {});
  }
}
