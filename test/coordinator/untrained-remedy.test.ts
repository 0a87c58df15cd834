import { expect, test } from 'vitest';
import { OwnCommand } from '../../src/console/own-command.js';
import { untrainedRemedy } from '../../src/coordinator/training/untrained-remedy.js';
import { readTrainingRun } from '../../src/run/read.js';
import { parseCommandLine } from '../cli/support.js';

const quick = 'examples/quick.yaml';
const command = new OwnCommand(['node', '/usr/local/bin/fcaenet', 'train', quick, '--resume'], {}, '/');
const beaten = { mAP: 0.05, untrained: { colorHistogram: 0.05, randomProjection: 0.03 } };

test.each([
  ['better than both', { ...beaten, mAP: 0.0501 }],
  ['not compared', { ...beaten, untrained: null }],
  ['not evaluated', { ...beaten, mAP: null }],
])('codes that are %s need no remedy', (_, result) => {
  expect(untrainedRemedy(readTrainingRun(quick), result, command)).toBeNull();
});

test.each([
  ['colour histograms', beaten],
  ['random projections', { mAP: 0.05, untrained: { colorHistogram: 0.03, randomProjection: 0.06 } }],
])('codes that do not beat %s are told the pretrained weights of their backbone', (_, result) => {
  expect(untrainedRemedy(readTrainingRun(quick), result, command)).toBe(
    'fcaenet weights fetch mobilenet_v1-0.25-imagenet1k --output weights/mobilenet_v1-0.25.safetensors' +
      ' && fcaenet train examples/quick.yaml --set metadata.name=quick-pretrained' +
      ' --set spec.model.weights=weights/mobilenet_v1-0.25.safetensors',
  );
});

test.each([
  ['had weights already', ['spec.model.weights=w.safetensors']],
  ['have a backbone without published weights', ['spec.model.width=0.5']],
])('runs that %s are told to train longer', (_, settings) => {
  expect(untrainedRemedy(readTrainingRun(quick, settings), beaten, command)).toBe(
    'fcaenet train examples/quick.yaml --set metadata.name=quick-longer' +
      " --set spec.schedule.iterations=14 --set 'spec.schedule.decayAfter=[10]'",
  );
});

test('a method on features has no longer training to offer', () => {
  const settings = ['spec.method=itq', 'spec.model.weights=w.safetensors'];
  expect(untrainedRemedy(readTrainingRun(quick, settings), beaten, command)).toBeNull();
});

test('what is told to be typed is a command, and its run a run of its own with a name that fits', async () => {
  const run = readTrainingRun(quick, [`metadata.name=${'a'.repeat(63)}`]);
  const [fetch, train] = untrainedRemedy(run, beaten, command)!.split(' && ');
  const words = (line: string) => line.split(' ').slice(1);
  expect(await parseCommandLine(...words(fetch!))).toMatchObject([
    { action: 'fetch', options: ['mobilenet_v1-0.25-imagenet1k', { output: expect.any(String) }] },
  ]);
  expect(await parseCommandLine(...words(train!))).toMatchObject([
    {
      action: 'train',
      options: [{ resume: 'new', run: { metadata: { name: `${'a'.repeat(52)}-pretrained` } } }],
    },
  ]);
});
