import { dirname, extname } from 'node:path';
import { openConsole } from '../console/console.js';
import { onInterrupt } from '../console/interrupt.js';
import type { ProgressTask } from '../console/progress.js';
import { disk } from '../disk/disk.js';
import { syncDirectory, writePieces } from '../disk/whole-file.js';
import { ExitCode, quote } from '../errors.js';
import { ModelError } from '../model/error.js';
import { findPublished } from '../model/weights/catalogue.js';
import { type FetchOptions, fetchWeights } from '../model/weights/fetch.js';
import { fetchPublishedFolder } from '../model/weights/fetch-folder.js';
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
      `the output is ${output}, expected a name that ends in .safetensors`,
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
  const { path, fetch } = /^https?:/i.test(name) ? folderAt(name, output) : listed(name, output);
  const console = openConsole('beside');
  const leave = new AbortController();
  const restoreSignals = onInterrupt(() => leave.abort());
  let task: ProgressTask | undefined;
  try {
    const downloaded = await fetch({
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

interface Source {
  readonly path: string;
  fetch(options: FetchOptions): Promise<boolean>;
}

/** @throws ModelError `MODEL_WEIGHTS_NAME` */
function listed(name: string, output: string | undefined): Source {
  const published = findPublished(name);
  const path = output ?? published.file;
  const fetch = published.url.endsWith('.json') ? fetchManifestWeights : fetchWeights;
  return { path, fetch: (options) => fetch(published, path, options) };
}

/** @throws ModelError `MODEL_WEIGHTS_NAME` for a URL that is none, and where no folder is named */
function folderAt(url: string, output: string | undefined): Source {
  const fail = (message: string) =>
    new ModelError('MODEL_WEIGHTS_NAME', message, { exitCode: ExitCode.usage });
  if (!URL.canParse(url)) {
    throw fail(`${quote(url)} is not a URL, expected one such as https://models.example/cub-48`);
  }
  if (output === undefined) {
    throw fail(`weights of a URL need --output, the folder that ${quote(url)} is downloaded to`);
  }
  return { path: output, fetch: (options) => fetchPublishedFolder(url, output, options) };
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
    const { code, syscall } = cause as NodeJS.ErrnoException;
    // A file in the place of a folder exists, too.
    throw code === 'EEXIST' && syscall === 'link'
      ? new ModelError('MODEL_WEIGHTS_EXISTS', `${path} exists already`, {
          cause,
          exitCode: ExitCode.cannotCreate,
        })
      : new ModelError('MODEL_WEIGHTS_WRITE', `${path} cannot be written (${code})`, {
          cause,
          exitCode: ExitCode.cannotCreate,
        });
  } finally {
    await disk.remove(temporary).catch(() => {});
  }
}
