import type { PictureList } from '../data/picture-list.js';
import type { TrainedRun } from '../inference/trained-run.js';
import type { TrainedMethod } from '../methods/method.js';
import {
  featureMethod,
  learnsDatabase,
  type Method,
  networkMakesDatabase,
  pairLoss,
} from '../methods/methods.js';
import { type MethodSettings, methodSettings } from '../methods/settings.js';
import { describePreprocessing } from '../model/preprocess.js';
import type { TrainingRunSpec } from '../run/training-run.js';
import { version } from '../run/version.js';
import type { ExportedFile } from './files.js';

const licence = '## Licence';

/**
 * A description of a trained network for those who get it without the run: Markdown with the run's data, method,
 * settings, figures and limits. A card whose licence was filled in agrees with it.
 * @param pictures of the run; null for runs that do not list them
 */
export function modelCardFile(run: TrainedRun, pictures: PictureList | null): ExportedFile {
  const text = modelCard(run, pictures);
  const [described] = text.split(licence);
  return {
    name: 'MODEL_CARD.md',
    pieces: [Buffer.from(text)],
    agreesWith: (found) => found.toString('utf8').split(licence)[0] === described,
  };
}

function modelCard(run: TrainedRun, pictures: PictureList | null): string {
  return [
    `# ${run.name}`,
    '',
    ...cardSections(run, pictures),
    '',
    licence,
    '',
    'PLACEHOLDER: this file does not know the licence of the weights. It depends on the images and on the pretrained weights',
    'that the run started from. State it here before you pass the files on.',
    '',
  ].join('\n');
}

/**
 * What a card says of a network, as lines of Markdown: what it is for, its data, method, settings, figures and limits.
 * @param pictures of the run; null for runs that do not list them
 */
export function cardSections(run: TrainedRun, pictures: PictureList | null): string[] {
  const { spec, layout, evaluated } = run;
  const { model, schedule } = spec;
  const isTrained = featureMethod(spec.method) === null;
  const figures = evaluated?.evaluation ?? null;
  const isOfLaterStep = evaluated !== null && run.hasStepsSinceEvaluation;
  const data: [string, string][] = [
    ['dataset', spec.dataset.kind ?? 'of the user, see the digest'],
    ['classes', pictures ? String(pictures.classNames.length) : 'not recorded'],
    ['images of the train split (the database)', String(run.databaseSize)],
    [
      'images of the test split (the queries)',
      pictures ? String(pictures.test.paths.length) : 'not recorded',
    ],
    ['fingerprint (SHA-256 of the list of images, classes and splits)', run.datasetFingerprint],
  ];
  const settings: [string, string][] = [
    ['backbone', layout.trunk.title],
    ['weights before training', model.weights === null ? 'random' : `pretrained, ${model.weights}`],
    [
      'input',
      `${model.imageSize} × ${model.imageSize}, ${describePreprocessing(layout.trunk.preprocessing)}`,
    ],
    ['images are fitted by', fitting(spec.augmentation.crop, model.imageSize)],
    ['method', spec.method],
    ['bits of a code', String(spec.bits)],
    ...(isTrained
      ? ([
          ['iterations, epochs of each', `${schedule.iterations}, ${schedule.epochs}`],
          ['images sampled in an iteration', String(spec.dataset.sampleSize)],
          ['batch size', String(schedule.batchSize)],
          [
            'learning rate',
            `${schedule.learningRate}, times ${schedule.decayFactor} after iterations ${schedule.decayAfter.join(', ') || 'none'}`,
          ],
          ...(pairLoss(spec.method) === null
            ? [['γ, α, β', `${spec.loss.gamma}, ${spec.loss.alpha}, ${spec.loss.beta}`]]
            : []),
        ] as [string, string][])
      : []),
    ...ownSettings(spec),
    ['seed', String(spec.seed)],
    ['checkpoint', `${run.checkpoint}, after ${run.step} steps`],
    ['trained by', `fcaenet ${run.version ?? '(version not recorded)'}, exported by ${version}`],
  ];
  const results: [string, string][] =
    figures === null
      ? [['mean average precision', 'the run was not evaluated']]
      : [
          ['mean average precision (mAP) over the whole database', figures.mAP.toFixed(4)],
          ['mAP with ties averaged', figures.tieAveragedMAP.toFixed(4)],
          ...Object.entries(figures.precisionAt).map(([k, value]): [string, string] => [
            `precision at ${k}`,
            value.toFixed(4),
          ]),
          ['queries', String(figures.queries)],
          [
            'measured after iteration',
            `${evaluated!.iteration}${isOfLaterStep ? '; the weights have more steps' : ''}`,
          ],
        ];
  return [
    `${layout.trunk.title} with ${isTrained ? behindTrunk[layout.head.name] : 'a hash function of its features'}: it gives an image a code of`,
    `${spec.bits} bits. Images of the same fine-grained class should have codes with a small Hamming distance.`,
    '',
    '## Data',
    '',
    ...table(data),
    '',
    '## Method and settings',
    '',
    ...table(settings),
    '',
    '## Results',
    '',
    ...table(results),
    '',
    '## Limits',
    '',
    '- The figures are of the test split of the dataset above. Images of other cameras, places or classes were not measured.',
    `- ${sourceOfCodes(spec.method)}`,
    '- A code says nothing about whether an image belongs to any of the classes.',
    '- Another engine computes outputs with other rounding. A bit whose output is next to 0 may differ.',
  ];
}

const behindTrunk: Readonly<Record<TrainedMethod['head'], string>> = {
  pooled: 'a hash layer',
  pyramids: 'two pyramids of features and a hash layer',
  saliency: 'an attention network before it and a hash layer',
  parts: 'branches of local features and a hash layer',
};

/** What a run file may set for the method alone. */
function ownSettings(spec: TrainingRunSpec): [string, string][] {
  const group = Object.keys(methodSettings).find((name) => name === spec.method);
  if (group === undefined) return [];
  const settings = Object.entries(spec[group as keyof MethodSettings]);
  const text = settings.map(([name, value]) => `${name} ${value}`).join(', ');
  return [[`settings of ${group}`, text]];
}

function sourceOfCodes(method: Method): string {
  if (learnsDatabase(method)) {
    return 'The database has codes of the training images, which the method learned. Codes of other images come from the network.';
  }
  return networkMakesDatabase(method)
    ? 'The codes of the training images and of all others come from the network.'
    : 'The codes of all images come from a hash function that was learned from features of the training images.';
}

function fitting(crop: 'none' | 'random-resized', imageSize: number): string {
  return crop === 'none'
    ? 'resizing the whole image to the square, antialiased bilinear'
    : `the centre of the image, ${imageSize} of ${Math.round((imageSize * 256) / 224)} pixels of its short side`;
}

function table(rows: readonly (readonly [string, string])[]): string[] {
  const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll(/\s*[\r\n]+\s*/g, ' ');
  return ['| | |', '| --- | --- |', ...rows.map(([name, value]) => `| ${cell(name)} | ${cell(value)} |`)];
}
