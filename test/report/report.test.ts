import { existsSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Console } from '../../src/console/console.js';
import { interruptProcess } from '../../src/console/interrupt.js';
import { lossesDiffer } from '../../src/live/words.js';
import { makeReport, type ReportOptions } from '../../src/report/command.js';
import { failure } from '../kit/failure.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';
import { randomCodes } from '../retrieval/brute-force.js';
import { makeRun, quietConsole } from './made-run.js';

let small: SmallRun;
let trained: string;
let features: string;
/** Of the codes of a small run. */
const bits = 12;
/** The report of the trained run. */
let whole: string;

beforeAll(async () => {
  small = await smallRun();
  trained = await makeRun(small.runFile, small.folder);
  features = await makeRun(small.runFile, small.folder, ['metadata.name=features', 'spec.method=itq']);
  whole = await pageOf({});
});
afterAll(() => small.remove());

async function pageOf(options: Partial<ReportOptions>, name = 'report.html'): Promise<string> {
  const output = join(small.folder, name);
  const runDirectories = [trained];
  const { file } = await makeReport({ runDirectories, data: undefined, output, ...options }, quietConsole);
  return readFile(file, 'utf8');
}

const headings = (page: string) => [...page.matchAll(/<h3>([^<]*)<\/h3>/g)].map(([, text]) => text!);

test('a report is one page that loads nothing, describes every picture, and is the same every time', async () => {
  const page = await pageOf({});
  expect(page).toBe(whole);
  expect(page).toMatch(/^<!doctype html>/);
  expect(page).toMatch(
    /<meta http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; img-src data:; style-src &#39;sha256-[A-Za-z0-9+/=]+&#39;;/,
  );
  expect(page).not.toMatch(/<script|<link|https?:|<[^>]* style=|NaN|undefined|Infinity/);
  const pictures = page.match(/<img [^>]*>/g)!;
  expect(pictures.length).toBeGreaterThan(20);
  for (const picture of pictures)
    expect(picture).toMatch(/src="data:image\/(?:jpeg|webp);base64,[^"]+" alt="[^"]{5,}"/);
  const drawings = page.match(/<svg [^>]*>/g)!;
  for (const drawing of drawings) expect(drawing).toMatch(/aria-label="[^"]{5,}"|aria-hidden="true"/);
  for (const figure of page.match(/<figure>.*?<\/figure>/gs)!) expect(figure).toMatch(/<figcaption>\w/);
});

test('it shows curves, results, erased regions, classes, codes and events', async () => {
  const page = whole;
  expect(headings(page)).toEqual(
    expect.arrayContaining([
      'Mean average precision',
      'Loss: similarity',
      'Precision and recall',
      'Precision of the first k',
      'Average precision by class',
      'Worst classes',
      'Distances',
      'Balance of the bits',
      'Correlation of the bits',
      'Workers',
    ]),
  );
  expect(page.replaceAll('<wbr>', '')).toMatch(/the same, ties averaged<\/t[dh]>\s*<td[^>]*>0\.1250</);
  expect(page).toContain('alt="The image of the class 001.Kind without the regions that SREM erases"');
  expect(page).toMatch(/<li class="(?:right|wrong)"><img/);
  expect(page).toContain('Worker 0 was set aside: it was &lt;late&gt;');
});

test('two runs share their charts, and a method on features says what it lacks', async () => {
  const page = await pageOf({ runDirectories: [trained, features] });
  expect(page).toContain('features has no learning curve: the method itq learns its codes at once');
  expect(page).toContain('The method itq erases nothing, so there are no erased images.');
  expect(page).toContain('The runs differ in these settings that decide the result:');
  expect(page.match(/<div class="query">/g)!.length).toBe(10);
  expect(page.match(/<ol class="ranked">/g)!.length).toBe(20);
});

test('a term is drawn for the methods that have it, and losses of different methods are not compared', async () => {
  const dash = await makeRun(
    small.runFile,
    small.folder,
    ['metadata.name=dash', 'spec.method=dash'],
    (state) => {
      state.history = state.history.map((record) => ({ ...record, losses: [3, 2, 0, 0] }));
      state.codes.set(randomCodes(6, state.codes.length / bits, bits));
    },
  );
  const page = await pageOf({ runDirectories: [trained, dash] });
  const figureOf = (heading: string) =>
    page.match(/<figure>.*?<\/figure>/gs)!.find((each) => each.includes(`<h3>${heading}</h3>`))!;
  expect(figureOf('Loss: quantisation')).toContain('small from 2.00 to 2.00; dash from 2.00 to 2.00');
  expect(figureOf('Loss: quantisation')).not.toContain('alone');
  expect(figureOf('Loss: positive')).toContain('small from 1.00 to 1.00.');
  expect(figureOf('Loss: positive')).toContain('The term is of small alone.');
  expect(page).toContain(lossesDiffer);
  const saliency = 'The network first multiplies each picture by a saliency map, which is not shown.';
  expect(page.split(saliency)).toHaveLength(2);
  expect(whole).not.toContain(lossesDiffer);
});

test('the points of a run that is in the middle of an iteration are at the steps of the iterations that are done', async () => {
  const begun = await makeRun(small.runFile, small.folder, ['metadata.name=halfway'], (state) => {
    state.position = { ...state.position, epoch: 1, step: 1, globalStep: state.position.globalStep + 3 };
  });
  const page = await pageOf({ runDirectories: [trained, begun] });
  const figure = page
    .match(/<figure>.*?<\/figure>/gs)!
    .find((each) => each.includes('<h3>Loss: similarity</h3>'))!;
  const places = ['s0', 's1'].map((style) =>
    [...figure.matchAll(new RegExp(`class="dot ${style}"[^>]* cx="([^"]*)"`, 'g'))].map(([, x]) => x),
  );
  expect(places[0]).toHaveLength(2);
  expect(places[1]).toEqual(places[0]);
});

test('a dataset that has moved costs the pictures, and --data gives them back', async () => {
  const moved = join(small.folder, 'moved');
  await rename(join(small.folder, 'data'), moved);
  try {
    const page = await pageOf({});
    expect(page).not.toContain('<img');
    expect(page).toContain(
      'so small has no pictures here. --data names the folder of a dataset that has moved.',
    );
    expect(headings(page)).toContain('Precision and recall');
    expect(await pageOf({ data: moved })).toContain('<img');
  } finally {
    await rename(moved, join(small.folder, 'data'));
  }
});

test('a run of an earlier version needs its dataset', async () => {
  const old = await makeRun(small.runFile, small.folder, ['metadata.name=old'], (state) => {
    state.queryCodes = null;
  });
  await rm(join(old, 'pictures.json'));
  await expect(pageOf({ runDirectories: [old], data: join(small.folder, 'nowhere') })).rejects.toEqual(
    failure(
      'REPORT_NO_DATASET',
      /^.*old does not have the classes of its images or the codes of all its queries, .*, but the dataset folder .*nowhere does not exist.*; --data names its folder$/,
    ),
  );
  expect(await pageOf({ runDirectories: [old] })).toContain('<img');
});

test('a signal ends it, and nothing is written', async () => {
  const output = join(small.folder, 'interrupted.html');
  const interrupting = {
    ...quietConsole,
    startTask: () => {
      interruptProcess('SIGTERM');
      return { update: () => {}, finish: () => {} };
    },
  } as unknown as Console;
  await expect(
    makeReport({ runDirectories: [trained], data: undefined, output }, interrupting),
  ).rejects.toEqual(failure('REPORT_INTERRUPTED', 'the report was interrupted; nothing was written'));
  expect(existsSync(output)).toBe(false);
});

test('a report that is too large is not written', async () => {
  const output = join(small.folder, 'large.html');
  await expect(
    makeReport({ runDirectories: [trained], data: undefined, output }, quietConsole, 1000),
  ).rejects.toEqual(
    failure(
      'REPORT_TOO_LARGE',
      /^the report has \d+ bytes, but may have at most 1000; report on fewer runs$/,
    ),
  );
  expect(existsSync(output)).toBe(false);
});

test('a run without a finished iteration has nothing to report on', async () => {
  const begun = await makeRun(small.runFile, small.folder, ['metadata.name=begun'], (state) => {
    state.position = { ...state.position, iteration: 0 };
    state.history = [];
  });
  await expect(pageOf({ runDirectories: [begun] })).rejects.toEqual(
    failure('REPORT_NOTHING', /begun has no finished iteration yet, so there are no codes to report on$/),
  );
});

test('a list of pictures of another dataset is refused', async () => {
  const strange = await makeRun(small.runFile, small.folder, ['metadata.name=strange']);
  const file = join(strange, 'pictures.json');
  const list = JSON.parse(await readFile(file, 'utf8'));
  await writeFile(file, JSON.stringify({ ...list, fingerprint: 'other' }));
  await expect(pageOf({ runDirectories: [strange] })).rejects.toEqual(
    failure('REPORT_NO_DATASET', /lists the pictures of the dataset other, but the run was trained on/),
  );
});

test('a run without a checkpoint, a folder that is no run, and a file that cannot be written', async () => {
  const empty = await makeRun(small.runFile, small.folder, ['metadata.name=empty']);
  await rm(join(empty, 'checkpoints'), { recursive: true });
  await expect(pageOf({ runDirectories: [empty] })).rejects.toEqual(
    failure('INFERENCE_NO_CHECKPOINT', /empty has no checkpoint yet/),
  );
  await expect(pageOf({ runDirectories: [join(small.folder, 'data')] })).rejects.toEqual(
    failure('INFERENCE_NO_RUN', /data is not the directory of a run/),
  );
  await expect(pageOf({}, 'nowhere/report.html')).rejects.toEqual(
    failure('REPORT_NOT_WRITTEN', /nowhere is not a folder that exists$/),
  );
  await expect(pageOf({}, 'data')).rejects.toEqual(
    failure('REPORT_NOT_WRITTEN', /data is a folder, but must be the name of a file$/),
  );
});
