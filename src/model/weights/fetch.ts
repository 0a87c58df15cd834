import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import { EnvHttpProxyAgent } from 'undici';
import { disk } from '../../disk/disk.js';
import { ExitCode } from '../../errors.js';
import { whileHeld } from '../../run/held-path.js';
import { ModelError } from '../error.js';
import type { PublishedWeights } from './catalogue.js';
import { requestFollowing } from './redirects.js';

export interface FetchOptions {
  /** Called with the bytes so far and the total bytes; undefined when the server does not say. */
  readonly onProgress?: (doneBytes: number, totalBytes: number | undefined) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Time without data after which a download fails. The downloaded part is kept. */
const silenceMs = 60_000;
/**
 * Bytes that may wait for the disk. undici 7 ends the process when a server closes its connection while more wait
 * (https://github.com/nodejs/undici/issues/5360). So they are many, and `fetch`, which lets none wait, is not used.
 */
const waitingBytes = 64 * 2 ** 20;

/**
 * Downloads published weights to `path`, unless the right file is already there. The bytes go to `path.partial` first,
 * which a later call continues, and the file is renamed after its SHA-256 was checked. Uses the proxy of `https_proxy`
 * or `http_proxy`, except for hosts of `no_proxy`.
 * @returns whether anything was downloaded
 * @throws ModelError `MODEL_WEIGHTS_FETCH` when the server cannot be reached, rejects the request, or ends early (the
 * downloaded part is kept), `MODEL_WEIGHTS_DIGEST` for other bytes than published (nothing is kept),
 * `MODEL_WEIGHTS_EXISTS` when `path` contains something else, `MODEL_WEIGHTS_WRITE` when it cannot be written,
 * `MODEL_WEIGHTS_INTERRUPTED` by `signal` (the downloaded part is kept); RunFileError `RUN_LOCKED` while another process
 * downloads to `path`
 */
export async function fetchWeights(
  published: PublishedWeights,
  path: string,
  { onProgress = () => {}, signal }: FetchOptions = {},
): Promise<boolean> {
  if (await holdsPublished(path, published)) return false;
  const { url, sha256 } = published;
  const partial = `${path}.partial`;
  await fetching(path, async () => {
    await download(url, partial, { onProgress, signal });
    const actual = await digestOf(partial);
    if (actual !== sha256) {
      await disk.remove(partial);
      throw new ModelError(
        'MODEL_WEIGHTS_DIGEST',
        `${url} has SHA-256 ${actual}, expected ${sha256}; nothing was kept`,
      );
    }
    await writing(path, () => disk.rename(partial, path));
  });
  return true;
}

/**
 * Does the work of a download to `path` while no other process downloads to it: two would write into one `path.partial`.
 * @throws ModelError `MODEL_WEIGHTS_WRITE`; RunFileError `RUN_LOCKED`; the errors of the work
 */
export async function fetching(path: string, work: () => Promise<void>): Promise<void> {
  await writing(path, () => disk.makeFolder(dirname(path)));
  await whileHeld(path, unwritableError, work);
}

/**
 * The same with a folder `path.partial`, which is removed where nothing came that a later call can continue.
 * @param work gets the folder
 */
export async function fetchingInto(path: string, work: (folder: string) => Promise<void>): Promise<void> {
  const folder = `${path}.partial`;
  await fetching(path, async () => {
    await writing(folder, () => disk.makeFolder(folder));
    try {
      await work(folder);
    } finally {
      await disk.removeEmptyFolder(folder).catch(() => {});
    }
  });
}

/**
 * Whether `path` exists and has the right content.
 * @throws ModelError `MODEL_WEIGHTS_EXISTS` when it has other content
 */
export async function holdsPublished(path: string, { sha256 }: PublishedWeights): Promise<boolean> {
  const found = await statusOf(path);
  if (found === undefined) return false;
  if (found.isFile() && (await digestOf(path)) === sha256) return true;
  throw new ModelError('MODEL_WEIGHTS_EXISTS', `${path} exists and differs from the published weights`, {
    exitCode: ExitCode.cannotCreate,
  });
}

/**
 * Appends the missing part of a file to `partial`.
 * @param limits `mostBytes`: the largest file that is accepted; `wholeBytes`: the file's size, where it is known
 * @throws ModelError `MODEL_WEIGHTS_FETCH`, `MODEL_WEIGHTS_INTERRUPTED`
 */
export async function download(
  url: string,
  partial: string,
  {
    onProgress = () => {},
    signal,
    wholeBytes,
    mostBytes = wholeBytes ?? Number.POSITIVE_INFINITY,
  }: FetchOptions & { readonly mostBytes?: number; readonly wholeBytes?: number },
): Promise<void> {
  const fail = (reason: string, cause?: unknown) =>
    new ModelError('MODEL_WEIGHTS_FETCH', `${url} cannot be downloaded: ${reason}`, {
      cause,
      exitCode: ExitCode.unavailable,
    });
  const already = (await statusOf(partial))?.size ?? 0;
  const silence = new AbortController();
  const timer = setTimeout(
    () => silence.abort(new Error(`the server sent nothing for ${silenceMs / 1000} s`)),
    silenceMs,
  );
  const proxies = openProxies(fail);
  try {
    const options = {
      dispatcher: proxies,
      highWaterMark: waitingBytes,
      signal: signal ? AbortSignal.any([signal, silence.signal]) : silence.signal,
      // Uncompressed: a compressed transfer could not be continued.
      headers: { 'accept-encoding': 'identity', ...(already > 0 && { range: `bytes=${already}-` }) },
    };
    const { statusCode, headers, body } = await requestFollowing(url, options, fail);
    // The file is already complete. Its digest decides.
    if (statusCode === 416 && already > 0) return;
    if (statusCode !== 200 && statusCode !== 206) throw fail(`the server answered ${statusCode}`);
    const begin = statusCode === 206 ? already : 0;
    const length = headers['content-length'];
    const total = length === undefined ? wholeBytes : begin + Number(length);
    let done = begin;
    const file = await disk.open(partial, begin > 0 ? 'a' : 'w');
    try {
      for await (const chunk of body as AsyncIterable<Buffer>) {
        await file.append(chunk);
        done += chunk.length;
        if (done > mostBytes) {
          await disk.remove(partial);
          throw fail(`it has more than ${mostBytes} bytes, the most that are expected`);
        }
        timer.refresh();
        onProgress(done, total);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    if (total !== undefined && done !== total) throw fail(`it ended after ${done} of ${total} bytes`);
  } catch (error) {
    if (error instanceof ModelError) throw error;
    if (signal?.aborted === true) {
      throw new ModelError(
        'MODEL_WEIGHTS_INTERRUPTED',
        `the download of ${url} was interrupted; the same command goes on`,
        { cause: error, exitCode: ExitCode.interrupted },
      );
    }
    throw fail(unreachable(reasonOf(error, silence.signal), partial), error);
  } finally {
    clearTimeout(timer);
    await proxies.destroy();
  }
}

function openProxies(fail: (reason: string, cause: unknown) => ModelError): EnvHttpProxyAgent {
  try {
    return new EnvHttpProxyAgent();
  } catch (cause) {
    // Do not show the value: it may contain a password.
    throw fail(
      'https_proxy or http_proxy is not a URL, expected one such as http://proxy.example:3128',
      cause,
    );
  }
}

/** What a user can do where the server cannot be reached. */
function unreachable(reason: string, partial: string): string {
  const proxy = ['https_proxy', 'HTTPS_PROXY', 'http_proxy', 'HTTP_PROXY'].find((name) => process.env[name]);
  const through = proxy === undefined ? '' : ` (through the proxy of ${proxy})`;
  const path = partial.replace(/\.partial(?:\/[^/]*)?$/, '');
  return `${reason}${through}; set https_proxy if this network has a proxy, or run the same command on another machine and copy ${path} from there`;
}

function reasonOf(error: unknown, silence: AbortSignal): string {
  let cause = silence.aborted ? silence.reason : error;
  while ((cause as Error).cause instanceof Error) cause = (cause as Error).cause;
  return String((cause as Error).message || (cause as NodeJS.ErrnoException).code)
    .split('\n')[0]!
    .replace(/\.$/, '');
}

async function statusOf(path: string): Promise<Awaited<ReturnType<typeof disk.stat>> | undefined> {
  try {
    return await disk.stat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw unwritable(path, error);
  }
}

/** The value of `read`. Where that fails, what it was read from is removed first, so that a later call gets it again. */
export async function orWithout<Value>(path: string, read: () => Value): Promise<Awaited<Value>> {
  try {
    return await read();
  } catch (error) {
    await disk.remove(path);
    throw error;
  }
}

/** SHA-256 of a file's bytes, in hexadecimal. */
export async function digestOf(path: string): Promise<string> {
  return createHash('sha256')
    .update(await disk.readFile(path))
    .digest('hex');
}

/** Turns failures of `action` into `MODEL_WEIGHTS_WRITE`. */
export async function writing(path: string, action: () => Promise<unknown>): Promise<void> {
  try {
    await action();
  } catch (error) {
    throw unwritable(path, error);
  }
}

function unwritable(path: string, cause: unknown): ModelError {
  return unwritableError(`${path} cannot be written (${(cause as NodeJS.ErrnoException).code})`, cause);
}

function unwritableError(message: string, cause: unknown): ModelError {
  return new ModelError('MODEL_WEIGHTS_WRITE', message, { cause, exitCode: ExitCode.cannotCreate });
}
