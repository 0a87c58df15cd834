import { expect, test } from 'vitest';
import { methodRandom } from '../../src/coordinator/training/method-random.js';
import { KeyedRandom } from '../../src/data/random.js';
import { paintScene } from '../../src/data/synthetic/scene.js';
import { defaultSyntheticSettings } from '../../src/data/synthetic/settings.js';
import { maximumSpecies } from '../../src/data/synthetic/species.js';
import { packCodes } from '../../src/hashing/codes.js';
import { lsh } from '../../src/methods/lsh.js';
import { encodeImages } from '../../src/model/encode.js';
import { initialWeights } from '../../src/model/initial.js';
import { describeModel } from '../../src/model/layout.js';
import { Network } from '../../src/model/network.js';
import { normalizeImages } from '../../src/model/preprocess.js';
import { evaluateRetrieval } from '../../src/retrieval/evaluate.js';
import { readTrainingRun } from '../../src/run/read.js';
import { useEngine } from './engine.js';

useEngine();

test('untrained features do not tell synthetic species apart: mAP of their random projections is at most .15', async () => {
  const { model, bits, seed } = readTrainingRun('examples/quick.yaml').spec;
  const layout = describeModel({ ...model, bits });
  const network = new Network(layout);
  network.setWeights(initialWeights(layout, new KeyedRandom(seed)));
  const random = new KeyedRandom(defaultSyntheticSettings.seed);
  const features = (perSpecies: number, firstPicture: number) => {
    const rows = Array.from({ length: maximumSpecies }, (_, bird) => {
      const pixels = Array.from({ length: perSpecies }, (_, picture) => [
        ...paintScene(random, bird, firstPicture + picture, model.imageSize),
      ]);
      const images = normalizeImages(Uint8Array.from(pixels.flat()), layout.trunk.preprocessing);
      return [...encodeImages(network, images, perSpecies).features];
    });
    return Float32Array.from(rows.flat());
  };
  const labels = (perSpecies: number) =>
    Int32Array.from({ length: maximumSpecies * perSpecies }, (_, i) => Math.floor(i / perSpecies));
  const database = features(30, 0);
  const learned = lsh.learn({
    features: database,
    dimension: layout.featureWidth,
    bits,
    random: methodRandom(defaultSyntheticSettings.seed),
  });
  const codes = (of: Float32Array) => packCodes(lsh.hash(learned, of), bits);
  const { mAP } = await evaluateRetrieval({
    queryCodes: codes(features(5, 2 ** 31)),
    queryLabels: labels(5),
    databaseCodes: codes(database),
    databaseLabels: labels(30),
    bits,
    classCount: maximumSpecies,
    precisionAt: [],
  });
  network.dispose();
  expect(mAP).toBeGreaterThan(0);
  expect(mAP).toBeLessThanOrEqual(0.15);
});
