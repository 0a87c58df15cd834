import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { methods } from '../../src/methods/methods.js';
import { RunFileError } from '../../src/run/error.js';
import { parseTrainingRun, readTrainingRun } from '../../src/run/read.js';
import { minimal, run, temporaryDirectory } from './support.js';

function errorOf(action: () => unknown): { code: string; message: string; exitCode: number } {
  try {
    action();
  } catch (error) {
    if (error instanceof RunFileError) {
      return { code: error.code, message: error.message, exitCode: error.exitCode };
    }
    throw error;
  }
  throw new Error('nothing was refused');
}

const parse = (text: string) => errorOf(() => parseTrainingRun(text, 'run.yaml'));
const withSpec = (spec: string) =>
  `apiVersion: fcaenet.dev/v1\nkind: TrainingRun\nmetadata: {name: a}\nspec: ${spec}`;

test.each([
  ['{bitts: 24}', 'run.yaml: spec.bitts is not a field of a training run; did you mean spec.bits?'],
  [
    '{schedule: {learningrate: 1}}',
    'run.yaml: spec.schedule.learningrate is not a field of a training run; did you mean spec.schedule.learningRate?',
  ],
  [
    '{learningRate: 1}',
    'run.yaml: spec.learningRate is not a field of a training run; did you mean spec.schedule.learningRate?',
  ],
  ['{xyzzy: 1}', 'run.yaml: spec.xyzzy is not a field of a training run'],
  ['{toString: 1}', 'run.yaml: spec.toString is not a field of a training run'],
  ['{dataset: {constructor: 1}}', 'run.yaml: spec.dataset.constructor is not a field of a training run'],
  ['{__proto__: {bits: 1}}', 'run.yaml: spec.__proto__ is not a field of a training run'],
])('an unknown field %s is refused with the nearest name', (spec, message) => {
  expect(parse(withSpec(spec))).toEqual({ code: 'RUN_FIELD_UNKNOWN', message, exitCode: 78 });
});

test.each([
  ['bits', '0', '0, but must be a whole number from 1 to 64'],
  ['bits', '65', '65, but must be a whole number from 1 to 64'],
  ['bits', '1.5', '1.5, but must be a whole number from 1 to 64'],
  ['bits', 'many', '"many", but must be a whole number from 1 to 64'],
  ['seed', '-1', '-1, but must be a whole number from 0 to 9007199254740991'],
  ['method', 'fcaent', `"fcaent", but must be one of ${methods.join(', ')}; did you mean fcaenet?`],
  ['dataset.sampleSize', '0', '0, but must be a whole number from 1 to 1000000000'],
  ['dataset.path', '', '"", but must be a path'],
  ['batchNormalisation.positives', 'alone', '"alone", but must be one of with-anchors, apart'],
  [
    'batchNormalisation.runningStatistics',
    'anchor',
    '"anchor", but must be one of every-pass, anchors; did you mean anchors?',
  ],
  ['batchNormalisation.momentum', '0', '0, but must be a number from 0.001 to 1'],
  ['batchNormalisation.momentum', '1.1', '1.1, but must be a number from 0.001 to 1'],
  ['firstCodes', 'zeros', '"zeros", but must be one of published, zero, class-means; did you mean zero?'],
  ['model.backbone', 'vgg', '"vgg", but must be one of mobilenet_v1, resnet18, resnet50'],
  ['model.width', '0.1', '0.1, but must be a number from 0.25 to 1'],
  ['model.imageSize', '31', '31, but must be a whole number from 32 to 1024'],
  ['loss.gamma', '-1', '-1, but must be a number from 0 to 1000000'],
  ['loss.alpha', '.nan', 'NaN, but must be a number from 0 to 1000000'],
  ['loss.beta', '.inf', 'Infinity, but must be a number from 0 to 1000000'],
  ['erasing.regions', '0', '0, but must be a whole number from 1 to 1048576'],
  ['erasing.size', '65', '65, but must be at most spec.model.imageSize, 64 pixels'],
  ['schedule.iterations', '0', '0, but must be a whole number from 1 to 100000'],
  ['schedule.epochs', '-1', '-1, but must be a whole number from 0 to 100000'],
  ['schedule.batchSize', '0', '0, but must be a whole number from 1 to 65536'],
  ['schedule.microbatches', '0', '0, but must be a whole number from 1 to 4096'],
  ['schedule.learningRate', '0', '0, but must be a number from 1e-12 to 10'],
  ['schedule.decayAfter', '[6, 3]', '[6,3], but must be an increasing list of at most 100 iterations'],
  ['schedule.decayFactor', '2', '2, but must be a number from 0.000001 to 1'],
  ['optimizer.momentum', '1', '1, but must be a number from 0 to below 1'],
  ['optimizer.maxGradientNorm', '0', '0, but must be a number from 0.000001 to 1000000'],
  ['optimizer.weightDecay', '2', '2, but must be a number from 0 to 1'],
  ['engine.threadsPerMicrobatch', '0', '0, but must be a whole number from 1 to 256'],
  ['operation.workers', '0', '0, but must be a whole number from 1 to 1024 or auto'],
  [
    'operation.devices',
    'some',
    '"some", but must be auto, none, all, or a list of numbers and UUIDs of GPUs',
  ],
  ['operation.devices', '[]', '[], but must be auto, none, all, or a list of numbers and UUIDs of GPUs'],
  [
    'operation.devices',
    '[GPU]',
    '["GPU"], but must be auto, none, all, or a list of numbers and UUIDs of GPUs',
  ],
  ['operation.membership.deviceModels', '[]', '[], but must be a list of names of GPUs, or null'],
  ['operation.listen', 'here', '"here", but must be HOST:PORT with a port from 0 to 65535'],
  ['operation.listen', '[::1]:65536', '"[::1]:65536", but must be HOST:PORT with a port from 0 to 65535'],
  ['operation.metrics', 'on', '"on", but must be HOST:PORT with a port from 0 to 65535, auto or off'],
  ['operation.checkpoint.keep', '0', '0, but must be a whole number from 1 to 1000'],
])('spec.%s=%s is refused with its value and bound', (field, value, end) => {
  expect(errorOf(() => run(`spec.${field}=${value}`))).toEqual({
    code: 'RUN_FIELD_INVALID',
    message: `run.yaml: spec.${field} is ${end}`,
    exitCode: 78,
  });
});

test('the place of a wrong list entry is named', () => {
  expect(errorOf(() => run('spec.schedule.decayAfter=[0]')).message).toBe(
    'run.yaml: spec.schedule.decayAfter[0] is 0, but must be a whole number from 1 to 100000',
  );
});

test.each(['../up', '-dash', 'a/b', 'x'.repeat(64)])('the name %s, no folder’s name, is refused', (name) => {
  expect(errorOf(() => run(`metadata.name=${name}`)).message).toMatch(
    /^run\.yaml: metadata\.name is .*, but must be 1 to 63 letters/,
  );
});

test('a channel multiplier for a residual network is refused', () => {
  expect(errorOf(() => run('spec.model.backbone=resnet50', 'spec.model.width=0.5')).message).toBe(
    'run.yaml: spec.model.width is 0.5, but must be 1 for resnet50, which has no channel multiplier',
  );
});

test('more workers to begin with than are admitted are refused', () => {
  const membership = (name: string, value: number) => `spec.operation.membership.${name}=${value}`;
  expect(errorOf(() => run(membership('minWorkers', 3), membership('maxWorkers', 2))).message).toBe(
    'run.yaml: spec.operation.membership.minWorkers is 3, but must be at most spec.operation.membership.maxWorkers, 2',
  );
  expect(
    run(membership('minWorkers', 2), membership('maxWorkers', 2)).spec.operation.membership,
  ).toMatchObject({ minWorkers: 2, maxWorkers: 2 });
});

test('more erased regions than pixels are refused', () => {
  expect(errorOf(() => run('spec.erasing.regions=4097')).message).toBe(
    'run.yaml: spec.erasing.regions is 4097, but must be at most the picture’s 4096 pixels',
  );
});

test.each([
  ['kind: TrainingRun\nmetadata: {name: a}\nspec: {preset: quick, dataset: {path: x}}', 'apiVersion'],
  ['apiVersion: fcaenet.dev/v1\nmetadata: {name: a}\nspec: {preset: quick, dataset: {path: x}}', 'kind'],
  [
    'apiVersion: fcaenet.dev/v1\nkind: TrainingRun\nspec: {preset: quick, dataset: {path: x}}',
    'metadata.name',
  ],
  [withSpec('{preset: quick}'), 'spec.dataset.path'],
  [withSpec('{dataset: {path: x, sampleSize: 9}}'), 'spec.bits'],
  [withSpec('{bits: 12, dataset: {path: x}}'), 'spec.dataset.sampleSize'],
])('a field no default can know is asked for', (text, field) => {
  const { code, message } = parse(text);
  expect(code).toBe('RUN_FIELD_MISSING');
  expect(message).toMatch(new RegExp(`^run\\.yaml: ${field.replaceAll('.', '\\.')} is missing and must be `));
});

test('YAML that cannot be parsed is refused in one line', () => {
  const { code, message } = parse('spec: {bits: [');
  expect(code).toBe('RUN_FILE_SYNTAX');
  expect(message).toMatch(/^run\.yaml is not valid YAML: .*[^.]$/);
  expect(message).not.toContain('\n');
});

test.each(['---\nkind: TrainingRun\n---\n', `${withSpec('{}')}\n---\nkind: TrainingRun\n`])(
  'several documents in one file are refused (%j)',
  (text) => {
    expect(parse(text)).toEqual({
      code: 'RUN_FILE_SYNTAX',
      message: 'run.yaml contains several YAML documents, separated by ---, but a run file contains one',
      exitCode: 78,
    });
  },
);

test('one document may be marked at its beginning and end', () => {
  expect(parseTrainingRun(`---${minimal}...\n`, 'run.yaml')).toEqual(run());
});

test.each([
  [
    'kind: TrainingRun\nkind: TrainingRun',
    '"kind" twice in one mapping, the second time at line 2, column 1',
  ],
  [withSpec('{ loss: { alpha: 1, "alpha": 2 } }'), '"alpha" twice in one mapping, the second time at line '],
  ['a: { <<: 1, <<: 2 }', '"<<" twice in one mapping'],
])('two settings of one name are refused: %j', (text, sentence) => {
  expect(parse(text)).toMatchObject({
    code: 'RUN_FILE_SYNTAX',
    exitCode: 78,
    message: expect.stringContaining(`run.yaml has the name ${sentence}`),
  });
});

test('one name in two mappings, and a word as a name and as a value, are no repetition', () => {
  const text = withSpec(
    '{ preset: quick, dataset: { path: preset }, operation: { cache: { directory: cache } } }',
  );
  expect(parseTrainingRun(text, 'run.yaml').spec.dataset.path).toBe('preset');
});

test('a megabyte of unknown names is refused in seconds, as one is', () => {
  const names = Array.from({ length: 90_000 }, (_, i) => `k${i}: 1`).join('\n');
  expect(parse(names).message).toBe('run.yaml: k0 is not a field of a training run');
}, 20_000);

test.each(['', '- 1', 'text'])('a document that is no mapping (%j) is refused', (text) => {
  expect(parse(text).code).toBe('RUN_FIELD_INVALID');
});

test('a group given as a value is refused', () => {
  expect(parse(withSpec('24')).message).toBe('run.yaml: spec is 24, but must be a group of settings');
});

test('a missing run file is named', () => {
  expect(errorOf(() => readTrainingRun('no/such.yaml'))).toEqual({
    code: 'RUN_FILE_MISSING',
    message: 'there is no run file no/such.yaml',
    exitCode: 66,
  });
});

test('a name without its ending, and the folder of a run, are answered with the file that is there', () => {
  const folder = temporaryDirectory();
  writeFileSync(join(folder, 'cub.yaml'), minimal);
  writeFileSync(join(folder, 'run.yaml'), minimal);
  expect(errorOf(() => readTrainingRun(join(folder, 'cub'))).message).toBe(
    `there is no run file ${join(folder, 'cub')}; did you mean ${join(folder, 'cub.yaml')}?`,
  );
  expect(errorOf(() => readTrainingRun(folder)).message).toBe(
    `the run file ${folder} cannot be read (EISDIR); did you mean ${join(folder, 'run.yaml')}?`,
  );
});

test('a folder in the place of a run file is refused', () => {
  const path = join(temporaryDirectory(), 'run.yaml');
  mkdirSync(path);
  expect(errorOf(() => readTrainingRun(path)).code).toBe('RUN_FILE_UNREADABLE');
});

test('a file too large for a run file is refused', () => {
  const path = join(temporaryDirectory(), 'run.yaml');
  writeFileSync(path, ' '.repeat(1024 * 1024 + 1));
  expect(errorOf(() => readTrainingRun(path)).message).toBe(
    `the run file ${path} has 1048577 bytes, but may have at most 1048576`,
  );
});

test.each<[string, Buffer, string]>([
  ['UTF-16', Buffer.from(minimal, 'utf16le'), 'UTF-16'],
  ['UTF-16 with a mark', Buffer.from(`\ufeff${minimal}`, 'utf16le'), 'UTF-16'],
  ['Latin-1', Buffer.from(`# \u00e9\n${minimal}`, 'latin1'), 'in another encoding, perhaps Latin-1,'],
])('a run file in %s is refused with its encoding', (_, bytes, encoding) => {
  const path = join(temporaryDirectory(), 'run.yaml');
  writeFileSync(path, bytes);
  expect(errorOf(() => readTrainingRun(path))).toEqual({
    code: 'RUN_FILE_SYNTAX',
    message: `the run file ${path} is ${encoding} but must be UTF-8: save it as UTF-8`,
    exitCode: 78,
  });
});

test('a list as a name is refused, without a warning for programmers', async () => {
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  expect(parse('? [a, b]\n: 1\n').code).toBe('RUN_FIELD_UNKNOWN');
  expect(warned).not.toHaveBeenCalled();
});

test('presets give way to the file, the file to --set, an earlier --set to a later one', () => {
  const text = minimal.replace('preset: quick', 'preset: quick, bits: 12, seed: 3');
  const resolved = parseTrainingRun(text, 'run.yaml', ['spec.seed=4', 'spec.seed=5']);
  expect(resolved.spec).toMatchObject({ bits: 12, seed: 5, method: 'fcaenet' });
});

test('a resolved run, written and read again, is the same run', () => {
  const resolved = run('spec.preset=paper', 'spec.bits=48', 'spec.dataset.kind=vegfru');
  expect(parseTrainingRun(stringify(resolved), 'run.yaml')).toEqual(resolved);
});

test.each([
  ['none', 'none'],
  ['all', 'all'],
  ['[0,2]', [0, 2]],
  ['[GPU-1a2b, MIG-3c4d]', ['GPU-1a2b', 'MIG-3c4d']],
])('spec.operation.devices=%s is read', (text, devices) => {
  expect(run(`spec.operation.devices=${text}`).spec.operation.devices).toEqual(devices);
});
