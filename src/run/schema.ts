import * as z from 'zod';
import { deviceId } from '../machine/devices/select.js';
import { firstCodes } from '../methods/first-codes.js';
import { methods } from '../methods/methods.js';
import { positivesBatches, statisticsPasses } from '../methods/passes.js';
import { methodSettings, type NumberSetting } from '../methods/settings.js';
import { isNatsUrl, parseAddress } from './address.js';
import {
  backbones,
  crops,
  datasetKinds,
  engineNames,
  sampledOutputs,
  wirePrecisions,
} from './training-run.js';

/**
 * What a user may write. Every field is optional here (presets fill in the rest), and no other field is accepted. The
 * message of each check ends the sentence "spec.bits is 65, but must be …".
 */

function wholeNumber(least: number, most: number, orElse = '') {
  const expected = `a whole number from ${least} to ${most}${orElse}`;
  return z.number(expected).int(expected).min(least, expected).max(most, expected);
}

function numberFrom(least: number, most: number) {
  const expected = `a number from ${least} to ${most}`;
  return z.number(expected).min(least, expected).max(most, expected);
}

function oneOf<const Names extends readonly string[]>(names: Names) {
  return z.enum(names, `one of ${names.join(', ')}`);
}

const path = z.string('a path').min(1, 'a path').max(4096, 'a path of at most 4096 characters');
const flag = z.boolean('true or false');
const isAddress = (text: string): boolean => parseAddress(text) !== undefined;
const listen = z.string('HOST:PORT').refine(isAddress, 'HOST:PORT with a port from 0 to 65535');
const metrics = z
  .string('HOST:PORT, auto or off')
  .refine(
    (text) => text === 'auto' || text === 'off' || isAddress(text),
    'HOST:PORT with a port from 0 to 65535, auto or off',
  );
const hostExpected = 'a list of at most 20 host names';
const hosts = z
  .array(
    z
      .string(hostExpected)
      .max(253, hostExpected)
      .regex(/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/, hostExpected),
    hostExpected,
  )
  .max(20, hostExpected);
/** Allowed names of a run and its directory. */
export const runName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const name = z
  .string('text')
  .regex(runName, '1 to 63 letters, digits, dots, dashes or underscores, beginning with a letter or digit');
const natsExpected = 'nats://HOST:PORT, tls://HOST:PORT or null';
const natsUrl = z.string(natsExpected).refine(isNatsUrl, natsExpected);
const decayExpected = 'an increasing list of at most 100 iterations';
const decayAfter = z
  .array(wholeNumber(1, 100_000), decayExpected)
  .max(100, decayExpected)
  .refine((list) => list.every((value, index) => index === 0 || list[index - 1]! < value), decayExpected);
const precisionAt = z
  .array(wholeNumber(1, 1_000_000), 'a list of whole numbers')
  .max(20, 'a list of at most 20 whole numbers');

const devicesExpected = 'auto, none, all, or a list of numbers and UUIDs of GPUs';
const namedDevices = z
  .array(z.union([z.number(), z.string()]), devicesExpected)
  .refine(
    (list) => list.length > 0 && list.length <= 256 && list.every((name) => deviceId.test(String(name))),
    devicesExpected,
  );
const modelsExpected = 'a list of names of GPUs, or null';
const deviceModels = z
  .array(z.string(modelsExpected).min(1, modelsExpected).max(100, modelsExpected), modelsExpected)
  .min(1, modelsExpected)
  .max(20, modelsExpected)
  .nullable();

const group = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.strictObject(shape, 'a group of settings').partial();

/** A group of settings that belongs to one method. */
function methodGroup<Settings extends Record<string, NumberSetting>>(settings: Settings) {
  const fields = Object.entries(settings).map(([name, { least, most, isWhole }]) => [
    name,
    isWhole ? wholeNumber(least, most) : numberFrom(least, most),
  ]);
  return group(Object.fromEntries(fields) as { [Name in keyof Settings]: z.ZodNumber });
}

const operation = group({
  workers: z.union(
    [z.literal('auto'), wholeNumber(1, 1024, ' or auto')],
    'a whole number from 1 to 1024 or auto',
  ),
  devices: z.union([z.enum(['auto', 'none', 'all']), namedDevices], devicesExpected),
  exactness: oneOf(['strict', 'best-effort']),
  exchange: oneOf(['auto', 'off']),
  runsDirectory: path,
  listen,
  tls: z.strictObject({ certificate: path, key: path, authority: path }, 'a group of settings').nullable(),
  metrics,
  monitor: group({ control: flag, hosts }),
  tensorboard: path.nullable(),
  evaluation: group({
    every: wholeNumber(1, 100_000),
    maxQueries: wholeNumber(1, 1_000_000_000).nullable(),
    precisionAt,
    untrained: flag,
  }),
  checkpoint: group({
    everyIterations: wholeNumber(1, 100_000),
    everySteps: z
      .union(
        [z.literal('auto'), wholeNumber(1, 1_000_000_000)],
        'a whole number from 1 to 1000000000, auto or null',
      )
      .nullable(),
    keep: wholeNumber(1, 1000),
  }),
  cache: group({ directory: path, limitBytes: wholeNumber(0, Number.MAX_SAFE_INTEGER) }),
  membership: group({
    minWorkers: wholeNumber(1, 1024),
    maxWorkers: wholeNumber(1, 1024),
    silenceSeconds: wholeNumber(5, 86_400),
    deviceModels,
  }),
  verification: group({ rate: numberFrom(0, 1) }),
  lease: group({ seconds: wholeNumber(1, 3600) }),
  nats: group({
    url: natsUrl.nullable(),
    credentials: path.nullable(),
    tls: group({ ca: path.nullable(), cert: path.nullable(), key: path.nullable() }),
    bufferedEvents: wholeNumber(1, 1_000_000),
  }),
  debug: group({ objectivePerBit: flag }),
});

const spec = group({
  preset: oneOf(['paper', 'quick']),
  method: oneOf(methods),
  bits: wholeNumber(1, 64),
  seed: wholeNumber(0, Number.MAX_SAFE_INTEGER),
  dataset: group({
    path,
    kind: oneOf(datasetKinds).nullable(),
    sampleSize: wholeNumber(1, 1_000_000_000),
  }),
  model: group({
    backbone: oneOf(backbones),
    width: numberFrom(0.25, 1),
    imageSize: wholeNumber(32, 1024),
    weights: path.nullable(),
  }),
  augmentation: group({ crop: oneOf(crops), flip: flag }),
  loss: group({ gamma: numberFrom(0, 1e6), alpha: numberFrom(0, 1e6), beta: numberFrom(0, 1e6) }),
  erasing: group({ regions: wholeNumber(1, 1_048_576), size: wholeNumber(1, 1024) }),
  schedule: group({
    iterations: wholeNumber(1, 100_000),
    epochs: wholeNumber(0, 100_000),
    batchSize: wholeNumber(1, 65_536),
    microbatches: wholeNumber(1, 4096),
    learningRate: numberFrom(1e-12, 10),
    decayAfter,
    decayFactor: numberFrom(1e-6, 1),
  }),
  dpsh: methodGroup(methodSettings.dpsh),
  dsh: methodGroup(methodSettings.dsh),
  hashnet: methodGroup(methodSettings.hashnet),
  fph: methodGroup(methodSettings.fph),
  dash: methodGroup(methodSettings.dash),
  exchnet: methodGroup(methodSettings.exchnet),
  itq: methodGroup(methodSettings.itq),
  sdh: methodGroup(methodSettings.sdh),
  batchNormalisation: group({
    positives: oneOf(positivesBatches),
    runningStatistics: oneOf(statisticsPasses),
    momentum: numberFrom(0.001, 1),
  }),
  firstCodes: oneOf(firstCodes),
  sampledOutputs: oneOf(sampledOutputs),
  optimizer: group({
    momentum: z
      .number('a number from 0 to below 1')
      .min(0, 'a number from 0 to below 1')
      .lt(1, 'a number from 0 to below 1'),
    weightDecay: numberFrom(0, 1),
    maxGradientNorm: numberFrom(1e-6, 1e6).nullable(),
  }),
  wire: group({ precision: oneOf(wirePrecisions) }),
  engine: group({ name: oneOf(['auto', ...engineNames]), threadsPerMicrobatch: wholeNumber(1, 256) }),
  operation,
});

export const writtenRunSchema = group({
  apiVersion: z.literal('fcaenet.dev/v1', 'fcaenet.dev/v1'),
  kind: z.literal('TrainingRun', 'TrainingRun'),
  metadata: group({ name }),
  spec,
});

/** A run file as written by its author, after --set: checked field by field, nothing filled in. */
export type WrittenRun = z.output<typeof writtenRunSchema>;
export type WrittenSpec = NonNullable<WrittenRun['spec']>;
