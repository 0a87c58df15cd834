import { firstCodesOf } from '../methods/first-codes.js';
import { featureMethod, type Method } from '../methods/methods.js';
import { batchNormalisationOf, usualStatisticsMomentum } from '../methods/passes.js';
import { RunFileError } from './error.js';
import { defaultOperation, erasedSize, missing, paperPreset, quickPreset } from './presets.js';
import type { WrittenRun, WrittenSpec } from './schema.js';
import { hasWidthFactor, type Operation, type TrainingRun } from './training-run.js';

/**
 * Fills in missing settings from the run file's preset (`paper` by default), and every setting that follows from
 * others.
 * @throws RunFileError RUN_FIELD_MISSING, or RUN_FIELD_INVALID when two settings contradict each other
 */
export function resolveTrainingRun(written: WrittenRun): TrainingRun {
  const given = written.spec ?? {};
  const preset = given.preset === 'quick' ? quickPreset(given) : paperPreset(given);
  const backbone = given.model?.backbone ?? preset.model.backbone;
  const model = {
    ...preset.model,
    width: hasWidthFactor(backbone) ? preset.model.width : 1,
    ...given.model,
  };
  const { method } = preset;
  const run: TrainingRun = {
    apiVersion: written.apiVersion ?? missing('apiVersion', 'fcaenet.dev/v1'),
    kind: written.kind ?? missing('kind', 'TrainingRun'),
    metadata: { name: written.metadata?.name ?? missing('metadata.name', 'the name of the run') },
    spec: {
      method,
      bits: preset.bits,
      seed: given.seed ?? preset.seed,
      dataset: {
        path: given.dataset?.path ?? missing('spec.dataset.path', 'the folder of the pictures'),
        kind: given.dataset?.kind ?? null,
        sampleSize: given.dataset?.sampleSize ?? preset.dataset.sampleSize,
        ...untrained(method, { sampleSize: 1 }),
      },
      model,
      augmentation: { ...preset.augmentation, ...given.augmentation },
      loss: { ...preset.loss, ...given.loss },
      erasing: { regions: 50, size: erasedSize(model.imageSize), ...given.erasing },
      schedule: { ...preset.schedule, ...given.schedule, ...untrained(method, { iterations: 1, epochs: 0 }) },
      dpsh: { ...preset.dpsh, ...given.dpsh },
      dsh: { ...preset.dsh, ...given.dsh },
      hashnet: { ...preset.hashnet, ...given.hashnet },
      fph: { ...preset.fph, ...given.fph },
      dash: { ...preset.dash, ...given.dash },
      exchnet: { ...preset.exchnet, ...given.exchnet },
      itq: { ...preset.itq, ...given.itq },
      sdh: { ...preset.sdh, ...given.sdh },
      batchNormalisation: {
        ...batchNormalisationOf(method, { ...preset.batchNormalisation, ...given.batchNormalisation }),
        momentum: given.batchNormalisation?.momentum ?? preset.batchNormalisation.momentum,
        ...untrained(method, { momentum: usualStatisticsMomentum }),
      },
      firstCodes: firstCodesOf(method, given.firstCodes ?? preset.firstCodes),
      sampledOutputs: given.sampledOutputs ?? preset.sampledOutputs,
      optimizer: { ...preset.optimizer, ...given.optimizer },
      wire: { ...preset.wire, ...given.wire },
      engine: { ...preset.engine, ...given.engine },
      operation: resolveOperation(given.operation ?? {}),
    },
  };
  checkConsistency(run);
  return run;
}

/** Settings of a method that trains no network, whatever the run file says; none for another. */
function untrained<Settings extends object>(method: Method, settings: Settings): Settings | object {
  return featureMethod(method) ? settings : {};
}

function resolveOperation(given: NonNullable<WrittenSpec['operation']>): Operation {
  return {
    ...defaultOperation,
    ...given,
    monitor: { ...defaultOperation.monitor, ...given.monitor },
    evaluation: { ...defaultOperation.evaluation, ...given.evaluation },
    checkpoint: { ...defaultOperation.checkpoint, ...given.checkpoint },
    cache: { ...defaultOperation.cache, ...given.cache },
    membership: { ...defaultOperation.membership, ...given.membership },
    verification: { ...defaultOperation.verification, ...given.verification },
    lease: { ...defaultOperation.lease, ...given.lease },
    nats: {
      ...defaultOperation.nats,
      ...given.nats,
      tls: { ...defaultOperation.nats.tls, ...given.nats?.tls },
    },
    debug: { ...defaultOperation.debug, ...given.debug },
  };
}

function checkConsistency({ spec }: TrainingRun): void {
  const { model, erasing } = spec;
  const fail = (field: string, value: number, expected: string): never => {
    throw new RunFileError('RUN_FIELD_INVALID', `${field} is ${value}, but must be ${expected}`);
  };
  if (!hasWidthFactor(model.backbone) && model.width !== 1) {
    fail('spec.model.width', model.width, `1 for ${model.backbone}, which has no channel multiplier`);
  }
  if (erasing.size > model.imageSize) {
    fail('spec.erasing.size', erasing.size, `at most spec.model.imageSize, ${model.imageSize} pixels`);
  }
  if (featureMethod(spec.method) === null && spec.schedule.epochs === 0) {
    fail('spec.schedule.epochs', 0, `at least 1 for ${spec.method}, which trains the network`);
  }
  if (spec.operation.monitor.control && spec.operation.metrics === 'off') {
    const expected = 'false while spec.operation.metrics is off: there is no page then';
    throw new RunFileError(
      'RUN_FIELD_INVALID',
      `spec.operation.monitor.control is true, but must be ${expected}`,
    );
  }
  const { minWorkers, maxWorkers } = spec.operation.membership;
  if (minWorkers > maxWorkers) {
    fail(
      'spec.operation.membership.minWorkers',
      minWorkers,
      `at most spec.operation.membership.maxWorkers, ${maxWorkers}`,
    );
  }
  const pixels = model.imageSize ** 2;
  if (erasing.regions > pixels) {
    fail('spec.erasing.regions', erasing.regions, `at most the picture’s ${pixels} pixels`);
  }
}
