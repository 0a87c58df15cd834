import * as z from 'zod';
import { InputFileFault, readInputFile, whyUnread } from '../disk/input-file.js';
import { quote } from '../errors.js';
import { RunFileError } from '../run/error.js';
import type { TrainingRunSpec } from '../run/training-run.js';
import { type MeasuredWork, measuredWork } from '../worker/measure-speed.js';
import type { Speed } from './duration.js';

/** A document is far smaller. */
const mostBytes = 1 << 20;

const rate = z.number().positive();
const document = z.looseObject({
  measured: z.looseObject({
    method: z.string(),
    backbone: z.string(),
    width: z.number(),
    imageSize: z.number(),
    rows: z.number(),
  }),
  engines: z.array(
    z.discriminatedUnion('runs', [
      z.looseObject({
        engine: z.string(),
        runs: z.literal(true),
        trainedImagesPerSecond: rate,
        encodedImagesPerSecond: rate,
      }),
      z.looseObject({ engine: z.string(), runs: z.literal(false) }),
    ]),
  ),
  /** Speeds are there where a GPU computes. */
  devices: z.looseObject({
    speeds: z.looseObject({ alone: z.array(rate.nullable()), together: rate.nullable() }).nullable(),
  }),
});

/**
 * The speed of one device on the machine where `doctor RUN.yaml --json` printed `path`. Of a worker with several GPUs it is
 * that of each while all compute, where that is slower: they share processors and memory.
 * @param deviceCount of each worker
 * @throws RunFileError RUN_SPEED_UNREADABLE when the file is not such a document, RUN_SPEED_DIFFERS when it measured
 * another network or microbatch than the run's, or the run's engine did not run
 */
export async function speedOfDoctor(
  path: string,
  spec: TrainingRunSpec,
  deviceCount: number,
): Promise<Speed> {
  const { measured, engines, devices } = read(path);
  const wanted = measuredWork(spec);
  const names = Object.keys(wanted) as (keyof MeasuredWork)[];
  const differences = names
    .filter((name) => measured[name] !== wanted[name])
    .map((name) => `${name} ${quote(String(measured[name]))} (the run has ${wanted[name]})`);
  if (differences.length > 0) {
    throw new RunFileError(
      'RUN_SPEED_DIFFERS',
      `${path} measured something else than the run: ${differences.join(', ')}; measure with doctor RUN.yaml --json`,
    );
  }
  const automatic = devices.speeds === null ? ['onednn', 'tensorflow'] : ['tensorflow'];
  const candidates = spec.engine.name === 'auto' ? automatic : [spec.engine.name];
  const found = candidates
    .map((name) => engines.find(({ engine }) => engine === name))
    .find((engine) => engine?.runs === true);
  if (found?.runs !== true) {
    throw new RunFileError(
      'RUN_SPEED_DIFFERS',
      `${path} has no speed of ${candidates.join(' or ')}, the run's engine, which did not run on that machine`,
    );
  }
  const { trainedImagesPerSecond: alone, encodedImagesPerSecond } = found;
  const { speeds } = devices;
  const hasShares = found.engine === 'tensorflow' && deviceCount > 1 && speeds?.together != null;
  const slowdown = hasShares ? Math.min(1, speeds.together! / speeds.alone.length / alone) : 1;
  return {
    trainedImagesPerSecond: slowdown * alone,
    encodedImagesPerSecond: slowdown * encodedImagesPerSecond,
  };
}

function read(path: string) {
  const fail = (reason: string, cause?: unknown) =>
    new RunFileError('RUN_SPEED_UNREADABLE', `${path} ${reason}`, undefined, { cause });
  let text: string;
  try {
    text = readInputFile(path, mostBytes).toString('utf8');
  } catch (cause) {
    const isNoSuchFile =
      cause instanceof InputFileFault || (cause as NodeJS.ErrnoException).code === 'EISDIR';
    throw fail(
      isNoSuchFile
        ? `must be a file of at most ${mostBytes} bytes, printed by doctor --json`
        : whyUnread(cause),
      cause,
    );
  }
  try {
    return document.parse(JSON.parse(text));
  } catch (cause) {
    throw fail('is not what doctor RUN.yaml --json prints', cause);
  }
}
