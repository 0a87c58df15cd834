import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { EventFiles } from '../../src/coordinator/monitoring/event-files.js';
import { isDoneAt } from '../../src/coordinator/monitoring/tensorboard.js';
import { TensorboardGallery } from '../../src/coordinator/monitoring/tensorboard-gallery.js';
import { type ImageContent, readEvents } from '../../src/formats/event-file.js';
import { temporaryDirectory } from '../run/support.js';

const position = { iteration: 1, epoch: 0, step: 0, phase: 'evaluate', globalStep: 8 } as const;
const evaluation = { queries: 2, mAP: 0.5, tieAveragedMAP: 0.5, precisionAt: {} };
const evaluated = { type: 'evaluated', iteration: 1, evaluation, seconds: 1 } as const;

/** Two classes; the codes of database images 0 and 2 are near query 0, those of 1 and 3 near query 1. */
const split = (name: 'train' | 'test', labels: number[]) => ({
  name,
  paths: labels.map((_, index) => `${name}${index}.png`),
  labels: Int32Array.from(labels),
  byteCounts: new Float64Array(labels.length),
  digests: new Uint8Array(),
});
const train = split('train', [0, 1, 1, 1]);
const testSplit = split('test', [0, 1, 1]);
const near = [1, 1, 1, 1, 1, 1, 1, 1];
const far = near.map((bit) => -bit);
const state = {
  position,
  codes: Int8Array.from([near, far, near.with(0, -1), far].flat()),
  queryCodes: Int8Array.from([near, far, far].flat()),
};

async function galleriesOf(imagesRoot: string, evaluations: number) {
  const warnings: object[] = [];
  const log = { info: () => {}, warn: (_: string, fields = {}) => warnings.push(fields), error: () => {} };
  const folder = join(temporaryDirectory(), 'logs');
  const files = await EventFiles.open(folder, 1, 0, isDoneAt(position), log);
  const gallery = new TensorboardGallery(
    { dataset: { imagesRoot, train, test: testSplit }, state, bits: 8, log, nowMs: () => 2000 },
    (event) => files.write(event),
  );
  for (let i = 0; i < evaluations; i++) gallery.take(evaluated);
  await gallery.close();
  await files.close();
  const [name] = readdirSync(folder);
  const events = readEvents(readFileSync(join(folder, name!))).map(({ event }) => event);
  return { warnings, galleries: events.filter(({ content }) => content.kind === 'image') };
}

test('an evaluation writes the nearest images of a query of each class, right and wrong framed', async () => {
  const images = join(temporaryDirectory(), 'images');
  mkdirSync(images);
  for (const path of [...train.paths, ...testSplit.paths]) {
    await sharp({ create: { width: 40, height: 20, channels: 3, background: '#4060ff' } })
      .png()
      .toFile(join(images, path));
  }
  const { galleries, warnings } = await galleriesOf(images, 1);
  expect(warnings).toEqual([]);
  expect(galleries).toMatchObject([
    {
      step: 8,
      seconds: 2,
      content: { tag: 'evaluation/gallery', description: expect.stringMatching(/^Each row is a query/) },
    },
  ]);
  const { encoded, width, height } = galleries[0]!.content as ImageContent;
  expect(encoded.length).toBeLessThan(1e6);
  const { data, info } = await sharp(encoded).raw().toBuffer({ resolveWithObject: true });
  expect([info.width, info.height]).toEqual([width, height]);
  const pixel = (x: number, y: number) => [...data.subarray(3 * (y * width + x), 3 * (y * width + x) + 3)];
  /** The colour in the middle of the left edge of a square: which of red, green and blue is largest. */
  const frameAt = (column: number, row: number) => {
    const [red, green, blue] = pixel(8 + 96 + 24 + column * 104, 8 + row * 104 + 45) as [
      number,
      number,
      number,
    ];
    return red > green && red > blue ? 'wrong' : green > red && green > blue ? 'right' : 'none';
  };
  const frames = [0, 1].map((row) => [0, 1, 2, 3].map((column) => frameAt(column, row)));
  expect(frames).toEqual([
    ['right', 'wrong', 'wrong', 'wrong'],
    ['right', 'right', 'right', 'wrong'],
  ]);
  // The middle of a picture is its own colour, and the query has no frame.
  expect(pixel(8 + 48, 8 + 48)[2]).toBeGreaterThan(200);
});

test('images that are not on this machine cost one warning', async () => {
  const { galleries, warnings } = await galleriesOf('/nowhere', 3);
  expect(galleries).toEqual([]);
  expect(warnings).toEqual([{ reason: '/nowhere/test0.png cannot be read' }]);
});
