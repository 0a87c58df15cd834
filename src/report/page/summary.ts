import { stringify } from 'yaml';
import { readableDuration } from '../../console/progress.js';
import { shortDigest } from '../../errors.js';
import { trainingSettings } from '../../run/training-hash.js';
import { type Markup, markup } from '../drawing/markup.js';
import type { MeasuredRun } from '../reading/measured-run.js';
import { figureOf, paragraph, type Section, table } from './parts.js';

/** What each run is, and what came out of it. */
export function summarySection(runs: readonly MeasuredRun[]): Section {
  const rows = lines.map(([name, value]) => [name, ...runs.map(value)]);
  const columns = ['', ...runs.map(({ name }) => name)].map((title) => ({ title }));
  return {
    id: 'summary',
    title: 'Summary',
    content: [
      table(columns, rows),
      paragraph(
        runs.length === 1
          ? 'The figures, pictures and codes below are of the checkpoint that the table names.'
          : 'The figures, pictures and codes below are of the checkpoints that the table names.',
      ),
    ],
  };
}

const lines: readonly (readonly [string, (run: MeasuredRun) => string])[] = [
  ['state', ({ content }) => content.description.state],
  ['method', ({ trained }) => trained.spec.method],
  ['bits of a code', ({ trained }) => String(trained.spec.bits)],
  ['dataset', ({ data, pictures }) => `${data}, fingerprint ${shortDigest(pictures.fingerprint)}`],
  [
    'images',
    ({ pictures }) =>
      `${pictures.train.paths.length} in the database, ${pictures.test.paths.length} queries, ${pictures.classNames.length} classes`,
  ],
  ['network', ({ trained }) => networkOf(trained.spec.model)],
  ['mAP of the last evaluation', ({ content }) => figureOf(content.evaluations.at(-1)?.mAP)],
  ['the same, ties averaged', ({ content }) => figureOf(content.evaluations.at(-1)?.tieAveragedMAP)],
  [
    'checkpoint shown',
    ({ trained, isBest, content }) =>
      `${isBest ? 'the best' : 'the newest'}, after iteration ${trained.iterations} of ${content.description.iterations} (${trained.checkpoint})`,
  ],
  ['mAP of the checkpoint shown', ({ mAP }) => figureOf(mAP)],
  [
    'mAP of colour histograms, of random projections',
    ({ content: { untrained } }) =>
      untrained
        ? `${figureOf(untrained.colorHistogram)}, ${figureOf(untrained.randomProjection)} (without training)`
        : 'not measured',
  ],
  ['steps', ({ content }) => String(content.description.step)],
  ['time of training and evaluation', ({ content }) => readableDuration(content.description.seconds)],
  ['speed', ({ content }) => speedOf(content.result?.imagesPerSecond)],
  ['workers at the end', ({ content }) => (content.result ? String(content.result.workers) : '–')],
  ['computed on', ({ content }) => machineOf(content.result?.engine)],
  ['seed', ({ trained }) => String(trained.spec.seed)],
];

function networkOf({ backbone, width, imageSize, weights }: MeasuredRun['trained']['spec']['model']): string {
  const factor = width === 1 ? '' : `, width ${width}`;
  const start = weights === null ? 'untrained at the start' : `pretrained weights ${weights}`;
  return `${backbone}${factor}, ${imageSize} px, ${start}`;
}

function speedOf(imagesPerSecond: number | null | undefined): string {
  return imagesPerSecond ? `${imagesPerSecond.toFixed(0)} images per second` : '–';
}

function machineOf(engine: { readonly [field: string]: unknown } | undefined): string {
  if (engine === undefined) return '–';
  const { deviceModel, device, engine: name, engineVersion, instructionSet } = engine;
  const parts = [deviceModel ?? device, `engine ${name} (${engineVersion})`, instructionSet];
  return parts.filter((part) => part !== undefined && part !== '').join(', ');
}

/** All settings of a run, and where runs differ. */
export function settingsSection(runs: readonly MeasuredRun[]): Section {
  const content: Markup[] = [];
  if (runs.length > 1) {
    const settings = runs.map(({ content }) => trainingSettings(content.run));
    const paths = Object.keys(Object.assign({}, ...settings) as object).filter(
      (path) => new Set(settings.map((each) => JSON.stringify(each[path]))).size > 1,
    );
    const rows = paths.map((path) => [path, ...settings.map((each) => written(each[path]))]);
    content.push(
      rows.length === 0
        ? paragraph('All settings that decide the result are equal.')
        : paragraph('The runs differ in these settings that decide the result:'),
    );
    if (rows.length > 0)
      content.push(
        table(
          ['setting', ...runs.map(({ name }) => name)].map((title) => ({ title })),
          rows,
        ),
      );
  }
  for (const { name, content: described } of runs) {
    content.push(
      markup`<details><summary>All settings of ${name} (run.yaml)</summary><pre>${stringify(described.run)}</pre></details>`,
    );
  }
  return { id: 'settings', title: 'Settings', content };
}

function written(value: unknown): string {
  return value === undefined ? '–' : typeof value === 'string' ? value : JSON.stringify(value);
}
