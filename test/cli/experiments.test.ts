import { describe, expect, test } from 'vitest';
import { ablate, table } from '../../src/commands/experiment-actions.js';
import { parseCommandLine } from './support.js';

const quick = 'examples/quick.yaml';

test('table takes lists, and the options that stand for a setting', async () => {
  const args = [
    '--methods',
    'fcaenet,lsh',
    '--bits',
    '12, 24',
    '--seeds',
    '5',
    '--equal',
    'steps,none',
    '--plan',
  ];
  const more = ['--data', 'd', '--set', 'spec.seed=7', '--workers', '2', '--output', 'o'];
  expect(await parseCommandLine('table', quick, ...args, ...more)).toEqual([
    {
      action: 'table',
      options: [
        {
          runFile: quick,
          overrides: ['spec.seed=7', 'spec.dataset.path=d', 'spec.operation.workers=2'],
          tuned: [],
          methods: ['fcaenet', 'lsh'],
          bits: [12, 24],
          seedCount: 5,
          equal: ['steps', 'none'],
          output: 'o',
          action: 'plan',
          manifests: null,
          imagesPerSecond: undefined,
        },
      ],
    },
  ]);
});

test('what is left out is the paper’s or the run file’s', async () => {
  expect(await parseCommandLine('table', quick)).toMatchObject([
    { options: [{ methods: null, bits: null, seedCount: 3, equal: null, output: null, action: 'run' }] },
  ]);
  expect(await parseCommandLine('ablate', 'size', quick, '--values', '9,5')).toMatchObject([
    { action: 'ablate', options: [{ ablation: 'size', values: [9, 5] }] },
  ]);
  expect(await parseCommandLine('tune', quick)).toMatchObject([
    { action: 'tune', options: [{ search: 'random', trials: 20, seed: 0, holdOut: 0.2, vary: null }] },
  ]);
});

test.each([
  [['table', quick, '--methods', 'fcaenett'], '"fcaenett" is no method, expected one of '],
  [['table', quick, '--methods', 'fcaenett'], 'did you mean fcaenet?'],
  [['table', quick, '--methods', 'lsh,lsh'], 'It names "lsh" twice'],
  [['table', quick, '--bits', '12,65'], 'It must be a whole number from 1 to 64'],
  [['table', quick, '--bits', '12,,24'], 'It must be a whole number from 1 to 64'],
  [['table', quick, '--seeds', '0'], 'It must be a whole number from 1 to 1000'],
  [['table', quick, '--equal', 'time'], '"time" is no equality, expected one of none, steps, images'],
  [['table', quick, '--images-per-second', '4'], '--images-per-second is accepted only with --plan'],
  [['table', quick, '--plan', '--report'], '--plan is accepted only without --report'],
  [['table', quick, '--resume'], "unknown option '--resume'"],
  [['ablate', 'colour', quick], 'Allowed choices are components, regions, size'],
  [['ablate', 'components', quick, '--values', '3'], 'ablate components accepts no --values'],
  [['tune', quick, '--hold-out', '1'], 'It must be a number between 0 and 1'],
  [['tune', quick, '--vary', 'gamma'], '"gamma" is no setting to search, expected one of alpha'],
  [['tune', quick, '--search', 'grid'], '"grid" is no search, expected one of random, halving'],
])('%j is refused: %s', async (args, sentence) => {
  await expect(parseCommandLine(...args)).rejects.toThrow(sentence);
});

describe('before anything runs', () => {
  const options = {
    ...{ runFile: quick, overrides: [], tuned: [], bits: null, seedCount: 1, equal: null },
    ...{ output: '/nowhere', action: 'plan' as const, manifests: null, imagesPerSecond: undefined },
  };

  test('regions need erased copies (EXPERIMENT_NOT_ERASING)', async () => {
    const overrides = ['spec.method=baseline'];
    await expect(ablate({ ...options, overrides, ablation: 'regions', values: null })).rejects.toThrow(
      'ablate regions needs a method with erased copies, such as fcaenet, but spec.method is baseline',
    );
  });

  test('a value that does not fit the images is named', async () => {
    await expect(ablate({ ...options, ablation: 'size', values: [9, 128] })).rejects.toThrow(
      'spec.erasing.size is 128, but must be at most spec.model.imageSize, 64 pixels',
    );
  });

  test('a dataset that is not there is named', async () => {
    const overrides = ['spec.dataset.path=/nowhere/data'];
    await expect(table({ ...options, overrides, methods: null })).rejects.toThrow(
      'the dataset folder /nowhere/data does not exist',
    );
  });
});
