// The input pipeline on a real dataset: images a second that a worker's thread decodes and reads from the packed cache,
// each against what the machine can do at most, measured in turns in the same run, at 128 and 224 pixels; and the share of a
// training step that workers spend waiting for images, in the first epoch and after it, with MobileNetV1-0.25 at 128 pixels.
// usage: npm run bench:pipeline [-- DATASET [RUN.yaml SETTING=VALUE...]]
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { loadDataset } from '../dist/data/dataset.js';
import { ImageLoader } from '../dist/worker/images/loader.js';

const here = import.meta.dirname;
const [
  dataset = join(here, '..', '..', 'shared', 'data', 'cub50'),
  runFile = 'examples/cub.yaml',
  ...settings
] = process.argv.slice(2);
/** What a worker with a GPU should get from the cache. */
const aimPerSecond = 400;
/** Images that are decoded at the same time, here and in the decoder alone. */
const parallelDecodes = 2;
const rounds = 3;
const batch = 16;
const images = 640;

const median = (values) => [...values].sort((left, right) => left - right)[values.length >> 1];
const perSecond = async (work) => {
  const started = performance.now();
  await work();
  return (1000 * images) / (performance.now() - started);
};

/** Reads batches one after another, as training does without looking ahead. */
async function readAll(loader) {
  for (let start = 0; start < images; start += batch) {
    await loader.train.read(
      Int32Array.from({ length: batch }, (_, i) => start + i),
      null,
    );
  }
}

async function sources(imageSize) {
  const loaded = await loadDataset(dataset);
  const folder = mkdtempSync(join(tmpdir(), 'fcaenet-pipeline-'));
  // The thread of a loader keeps no process alive.
  const alive = setInterval(() => {}, 1000);
  const measured = { decode: [], decodeAlone: [], cached: [], fileAlone: [] };
  const openAt = (name) =>
    ImageLoader.open(
      {
        dataset: loaded,
        imageSize,
        augmentation: { crop: 'none', flip: false },
        seed: 0,
        cacheDirectory: join(folder, name),
        cacheLimitBytes: 2 ** 40,
        parallelDecodes,
      },
      (message) => console.error(message),
    );
  const files = loaded.train.paths.slice(0, images).map((path) => join(loaded.imagesRoot, path));
  // Once unmeasured, so that the page cache holds the files for every one of the turns.
  for (const file of files) await readFile(file);
  for (let round = 0; round < rounds; round++) {
    measured.decodeAlone.push(
      await perSecond(async () => {
        // The decoder alone, with as many pictures in flight as the pipeline has.
        let next = 0;
        const decode = async () => {
          while (next < files.length) {
            await sharp(files[next++])
              .removeAlpha()
              .toColourspace('srgb')
              .resize(imageSize, imageSize, { fit: 'fill', kernel: 'linear', fastShrinkOnLoad: false })
              .raw()
              .toBuffer();
          }
        };
        await Promise.all(Array.from({ length: parallelDecodes }, decode));
      }),
    );
    const cold = await openAt(String(round));
    measured.decode.push(await perSecond(() => readAll(cold)));
    await cold.close();
    const warm = await openAt(String(round));
    measured.cached.push(await perSecond(() => readAll(warm)));
    await warm.close();
    // As many bytes from one file that the page cache holds, in reads of one batch.
    const bytes = imageSize * imageSize * 3;
    const path = join(folder, 'plain');
    writeFileSync(path, Buffer.alloc(bytes * images));
    const plain = await open(path, 'r');
    measured.fileAlone.push(
      await perSecond(async () => {
        for (let start = 0; start < images; start += batch) {
          await plain.read(new Uint8Array(bytes * batch), 0, bytes * batch, start * bytes);
        }
      }),
    );
    await plain.close();
  }
  clearInterval(alive);
  rmSync(folder, { recursive: true });
  const [decode, decodeAlone, cached, fileAlone] = Object.values(measured).map((values) =>
    Math.round(median(values)),
  );
  return {
    imageSize,
    decodedImagesPerSecond: decode,
    decoderAloneImagesPerSecond: decodeAlone,
    decodeRatio: Number((decode / decodeAlone).toFixed(2)),
    cachedImagesPerSecond: cached,
    fileReadsAloneImagesPerSecond: fileAlone,
    cachedRatio: Number((cached / fileAlone).toFixed(2)),
    cachedOfAim: Number((cached / aimPerSecond).toFixed(2)),
  };
}

/** A real run of two workers; what its metrics say at the end of the first epoch and at the end of the last but one. */
async function training() {
  const folder = mkdtempSync(join(tmpdir(), 'fcaenet-pipeline-'));
  const set = [
    'metadata.name=pipeline',
    `spec.dataset.path=${dataset}`,
    'spec.model.weights=null',
    'spec.schedule.iterations=2',
    'spec.operation.metrics=127.0.0.1:0',
    `spec.operation.runsDirectory=${folder}`,
    `spec.operation.cache.directory=${join(folder, 'cache')}`,
    'spec.operation.evaluation.every=100',
    'spec.operation.evaluation.maxQueries=1',
    ...settings,
  ].flatMap((setting) => ['--set', setting]);
  const child = spawn(
    process.execPath,
    [join(here, '..', 'dist', 'cli.js'), 'train', runFile, '--workers', '2', ...set],
    { stdio: ['ignore', 'pipe', 'inherit'], cwd: join(here, '..') },
  );
  let url;
  createInterface({ input: child.stdout }).on('line', (line) => {
    const entry = JSON.parse(line);
    if (entry.message === 'metrics') url = entry.url;
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  let running = true;
  void ended.then(() => {
    running = false;
  });
  let first;
  let last;
  while (running) {
    await sleep(50);
    const text =
      url &&
      (await fetch(url).then(
        (response) => response.text(),
        () => undefined,
      ));
    if (!text) continue;
    const value = (name) => Number(new RegExp(`^${name}(?:{[^}]*})? (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
    const now = {
      steps: value('fcaenet_step'),
      wait: value('fcaenet_image_wait_seconds_total'),
      compute: value('fcaenet_compute_seconds_total'),
      images: value('fcaenet_images_total'),
      seconds: value('fcaenet_step_seconds_sum'),
    };
    if (value('fcaenet_epoch') < 1 && value('fcaenet_iteration') < 1) first = now;
    last = now;
  }
  rmSync(folder, { recursive: true });
  if ((await ended) !== 0) process.exit(1);
  const share = ({ wait, compute }) => Number((wait / (wait + compute)).toFixed(4));
  const after = Object.fromEntries(Object.entries(last).map(([name, value]) => [name, value - first[name]]));
  return {
    steps: last.steps,
    waitShareFirstEpoch: share(first),
    waitShareAfterwards: share(after),
    imagesPerSecondAfterwards: Number((after.images / after.seconds).toFixed(1)),
  };
}

const result = {
  date: new Date().toISOString(),
  what: 'input pipeline',
  processor: cpus()[0].model,
  cores: cpus().length,
  aimPerSecond,
  sources: [await sources(128), await sources(224)],
  ...(await training()),
};
mkdirSync(join(here, 'results'), { recursive: true });
writeFileSync(
  join(here, 'results', `pipeline-${result.date.replaceAll(':', '')}.json`),
  `${JSON.stringify(result, null, 2)}\n`,
);
console.log(JSON.stringify(result));
