import path from 'node:path';
import type { Console } from '../../console/console.js';
import { EngineError } from '../../engine/error.js';
import type { MeasuredRun } from '../reading/measured-run.js';
import { type AttendedPicture, attendedPictures } from './attention.js';
import { chooseQueries } from './choose-queries.js';
import { PictureFiles } from './picture-files.js';

/** Queries of the galleries, for each dataset. */
const galleryQueries = 10;
/** Pictures with attention, for each run. */
const attendedQueries = 6;

/** A picture of the dataset. */
export interface ShownPicture {
  readonly path: string;
  readonly className: string;
  /** Null when its file is not there. */
  readonly uri: string | null;
}

/** The nearest database pictures of a query, by one run. */
export interface RankedRow {
  readonly run: string;
  readonly averagePrecision: number;
  readonly found: readonly (ShownPicture & { readonly isRight: boolean; readonly distance: number })[];
}

/** A query with the rows of every run on its dataset. */
export interface GalleryQuery {
  readonly query: ShownPicture;
  readonly rows: readonly RankedRow[];
}

/** What a run's network attends to. */
export interface AttentionOfRun {
  readonly run: string;
  readonly pictures: readonly (AttendedPicture & { readonly picture: ShownPicture })[];
  /** Why there are none, as a sentence; null when there are. */
  readonly reason: string | null;
}

export interface ShownPictures {
  readonly galleries: readonly GalleryQuery[];
  readonly attention: readonly AttentionOfRun[];
  /** Why pictures are missing, as a sentence for each dataset that is not there. */
  readonly missing: readonly string[];
}

/** Reads and computes all pictures of a report. */
export async function showPictures(
  runs: readonly MeasuredRun[],
  console: Console,
  signal: AbortSignal,
): Promise<ShownPictures> {
  const galleries: GalleryQuery[] = [];
  const attention: AttentionOfRun[] = [];
  const missing: string[] = [];
  for (const group of byDataset(runs)) {
    const [first] = group as [MeasuredRun];
    const files = new PictureFiles(imagesFolder(first));
    const { test } = first.pictures;
    const queries = chooseQueries(first.curves.averagePrecisions, test.labels, galleryQueries);
    if ((await files.bytes(test.paths[queries[0]!]!)) === null) {
      missing.push(
        `The image ${test.paths[queries[0]!]} is not in ${files.folder}, so ${namesOf(group)} has no pictures here. --data names the folder of a dataset that has moved.`,
      );
      continue;
    }
    const total = queries.length * (1 + group.length) + attendedQueries * group.length;
    const task = console.startTask({ name: 'pictures', total, unit: 'rows' });
    let done = 0;
    const step = () => {
      task.update(++done);
      signal.throwIfAborted();
    };
    for (const query of queries) {
      const shown = await shownPicture(files, first, 'test', query);
      step();
      const rows: RankedRow[] = [];
      for (const run of group) {
        rows.push(await rankedRow(files, run, query));
        step();
      }
      galleries.push({ query: shown, rows });
    }
    const attended = everyOther(queries, attendedQueries);
    for (const run of group) attention.push(await attentionOf(run, files, attended, step));
    task.update(total);
    task.finish();
  }
  return { galleries, attention, missing };
}

async function attentionOf(
  run: MeasuredRun,
  files: PictureFiles,
  queries: readonly number[],
  onDone: () => void,
): Promise<AttentionOfRun> {
  const pictures: ShownPicture[] = [];
  const inputs: { name: string; bytes: Buffer }[] = [];
  for (const query of queries) {
    const picture = await shownPicture(files, run, 'test', query);
    const bytes = await files.bytes(picture.path);
    if (bytes === null || picture.uri === null) continue;
    pictures.push(picture);
    inputs.push({ name: picture.path, bytes });
  }
  try {
    const attended = await attendedPictures(run.trained, inputs, onDone);
    return {
      run: run.name,
      pictures: attended.map((each, index) => ({ ...each, picture: pictures[index]! })),
      reason: null,
    };
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return { run: run.name, pictures: [], reason: `No engine can compute attention here: ${error.message}` };
  }
}

async function rankedRow(files: PictureFiles, run: MeasuredRun, query: number): Promise<RankedRow> {
  const { nearest, pictures, curves, queryCodes, databaseCodes, trained } = run;
  const { bits } = trained.spec;
  const label = pictures.test.labels[query]!;
  const rows = nearest.rows.subarray(query * nearest.count, (query + 1) * nearest.count);
  const found: RankedRow['found'][number][] = [];
  for (const row of rows) {
    let distance = 0;
    for (let bit = 0; bit < bits; bit++) {
      if (queryCodes[query * bits + bit] !== databaseCodes[row * bits + bit]) distance++;
    }
    found.push({
      ...(await shownPicture(files, run, 'train', row)),
      isRight: pictures.train.labels[row] === label,
      distance,
    });
  }
  return { run: run.name, averagePrecision: curves.averagePrecisions[query]!, found };
}

async function shownPicture(
  files: PictureFiles,
  { pictures }: MeasuredRun,
  split: 'train' | 'test',
  row: number,
): Promise<ShownPicture> {
  const image = pictures[split].paths[row]!;
  const className = pictures.classNames[pictures[split].labels[row]!]!;
  return { path: image, className, uri: await files.thumbnail(image) };
}

/** Runs with the same dataset together, in the order of the runs. */
function byDataset(runs: readonly MeasuredRun[]): MeasuredRun[][] {
  const groups = new Map<string, MeasuredRun[]>();
  for (const run of runs) {
    const { fingerprint } = run.pictures;
    groups.set(fingerprint, [...(groups.get(fingerprint) ?? []), run]);
  }
  return [...groups.values()];
}

function imagesFolder({ data, pictures }: MeasuredRun): string {
  return path.resolve(data, pictures.imagesFolder);
}

function namesOf(runs: readonly MeasuredRun[]): string {
  return runs.map(({ name }) => name).join(' and ');
}

/** Some of the queries, from the first to the last. */
function everyOther(queries: readonly number[], most: number): number[] {
  const count = Math.min(most, queries.length);
  return Array.from(
    { length: count },
    (_, index) => queries[count === 1 ? 0 : Math.round((index * (queries.length - 1)) / (count - 1))]!,
  );
}
