import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { type Finding, report, requireEngine, withoutSentence } from '../../src/commands/doctor-action.js';
import { missingFiles } from '../../src/commands/doctor-files.js';
import { readTrainingRun } from '../../src/run/read.js';

const runs: Finding = {
  engine: 'onednn',
  runs: true,
  trainedImagesPerSecond: 123.456,
  encodedImagesPerSecond: 400,
  outsideGraphs: null,
  description: {
    name: 'onednn',
    version: 'tfjs 4, oneDNN 2',
    device: 'Some processor',
    instructionSet: 'avx2',
    buildHash: '',
    threads: 1,
    deterministic: true,
    gpu: null,
  },
};
const fails: Finding = {
  engine: 'tensorflow',
  runs: false,
  reason: 'engine tensorflow cannot run: install it',
};

test('the table has a row for every engine, and the mends below', () => {
  expect(report([runs, fails])).toBe(
    [
      'engine      trained/s  encoded/s  version           instructions  device',
      'onednn          123.5      400.0  tfjs 4, oneDNN 2  avx2          Some processor',
      'tensorflow          -          -  cannot run        -             -',
      '',
      'engine tensorflow cannot run: install it.',
      '',
    ].join('\n'),
  );
});

test('the share of time outside the graphs is said of an engine that runs graphs', () => {
  expect(report([runs])).not.toContain('graphs');
  expect(report([runs, { ...runs, engine: 'tensorflow', outsideGraphs: 0.0123 }])).toMatch(
    /\n\nEngine tensorflow spends 1\.2 % of the time of training outside its graphs\.\n$/,
  );
});

test('a process that ends without a sentence is told by what ended it: doctor’s time limit, a signal, its own code', () => {
  expect(withoutSentence('onednn', { killed: true, signal: 'SIGKILL' })).toBe(
    'Engine onednn was not measured because its process was not ready after 180 s; processors that are busy may be the cause: try again later',
  );
  expect(withoutSentence('tensorflow', { killed: true, signal: 'SIGKILL' })).toContain(
    'or a GPU newer than the kernels, which its driver compiles once: try again later',
  );
  expect(withoutSentence('onednn', { killed: false, signal: 'SIGILL' })).toBe(
    'Engine onednn cannot run because its process was ended by SIGILL',
  );
  expect(withoutSentence('onednn', { killed: false, code: 3 })).toBe(
    'Engine onednn cannot run because its process ended with exit code 3',
  );
});

test('the engine that is asked for must run; of auto, any', () => {
  requireEngine('auto', [runs, fails]);
  requireEngine('onednn', [runs, fails]);
  expect(() => requireEngine('tensorflow', [runs, fails])).toThrow(
    'engine tensorflow cannot run: install it',
  );
  expect(() => requireEngine('auto', [fails])).toThrow(
    'no engine can run here: engine tensorflow cannot run: install it',
  );
  expect(() => requireEngine('auto', [fails, { ...runs, engine: 'webgpu' }])).toThrow(
    'engine auto finds none to run here, but webgpu runs if --set spec.engine.name=webgpu names it: engine tensorflow',
  );
});

test('what a run needs and is missing is named', async () => {
  const { spec } = readTrainingRun('examples/cub-48bit.yaml', [
    'spec.dataset.path=src',
    'spec.model.weights=no.pth',
  ]);
  expect(await missingFiles(spec)).toEqual([
    'The run also needs the weights no.pth, which is missing here (docs/weights.md)',
  ]);
  const quick = readTrainingRun('examples/quick.yaml', ['spec.dataset.path=nowhere']).spec;
  expect(await missingFiles(quick)).toEqual([
    'The run also needs the dataset folder nowhere, which is missing here (docs/datasets.md)',
  ]);
});

function fcaenet(...args: string[]) {
  return spawnSync(process.execPath, ['dist/cli.js', ...args], { encoding: 'utf8' });
}

test.each([
  [
    ['--kube', 'deploy', '--set', 'spec.bits=8'],
    'doctor checks manifests with --kube, or engines without it, not both',
  ],
  [['--set', 'spec.bits=8'], 'doctor accepts --set only with a run file'],
])('doctor %j is refused', (flags, sentence) => {
  expect(fcaenet('doctor', ...flags)).toMatchObject({
    status: 64,
    stdout: '',
    stderr: `fcaenet: ${sentence}.\n`,
  });
});
