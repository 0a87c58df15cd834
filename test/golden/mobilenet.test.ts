import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { KeyedRandom } from '../../src/data/random.js';
import { initialWeights } from '../../src/model/initial.js';
import { describeNetwork, trunkOf } from '../../src/model/layout.js';
import { Network } from '../../src/model/network.js';
import { readTfManifest } from '../../src/model/weights/tf-manifest.js';
import { loadBackboneWeights } from '../../src/model/weights/weights-file.js';
import { useEngine } from '../model/engine.js';
import { toChannelsLast } from './networks.js';
import { image, readGolden, relativeError } from './support.js';

interface PretrainedCase {
  prefix: string;
  shape: [number, number, number, number];
  feature_map_shape: [number, number, number, number];
  pooled_first16: number[][];
  pooled_l2: number[];
  top5: number[][];
  top5_logits: number[][];
  f32_deviation: number;
}

const shared = process.env.FCAENET_SHARED ?? fileURLToPath(new URL('../../../shared', import.meta.url));
const folder = join(shared, 'weights', 'mobilenet_v1_0.25_224');

describe.skipIf(!existsSync(folder))(`pretrained MobileNetV1 (skipped where ${folder} is absent)`, () => {
  useEngine();

  it('has the golden features and classes', async () => {
    const golden = readGolden<PretrainedCase>('mobilenet_pretrained');
    const { shape } = golden;
    const tolerance = Math.max(1e-4, 5 * golden.f32_deviation);
    const [rows, , height, width] = shape;
    const layout = describeNetwork(trunkOf('mobilenet_v1', 0.25), { bits: 16, height, width });
    const initial = initialWeights(layout, new KeyedRandom(0));
    const network = new Network(layout);
    network.setWeights(await loadBackboneWeights(layout, folder, initial));
    const picture = toChannelsLast(image(`${golden.prefix}/x`, shape), shape).map((value) => value / 2);
    const { featureMap, pooled } = network.forwardEval(tf.tensor4d(picture, [rows, height, width, 3]));
    const [mapRows, channels, mapHeight, mapWidth] = golden.feature_map_shape;
    expect(featureMap.shape).toEqual([mapRows, mapHeight, mapWidth, channels]);

    const { tensors } = await readTfManifest(join(folder, 'model.json'));
    const head = tensors.get('conv_preds/kernel')!;
    const bias = tensors.get('conv_preds/bias')!;
    const logits = tf.add(
      tf.matMul(pooled, tf.tensor2d(head.data, [channels, bias.data.length])),
      tf.tensor1d(bias.data),
    );
    const pooledRows = await pooled.array();
    const logitRows = (await logits.array()) as number[][];
    for (let row = 0; row < rows; row++) {
      const features = pooledRows[row]!;
      expect(relativeError(features.slice(0, 16), golden.pooled_first16[row]!)).toBeLessThan(tolerance);
      expect(relativeError([Math.hypot(...features)], [golden.pooled_l2[row]!])).toBeLessThan(tolerance);
      const order = logitRows[row]!.map((_logit, index) => index).sort(
        (a, b) => logitRows[row]![b]! - logitRows[row]![a]!,
      );
      const top5 = order.slice(0, 5);
      expect(top5).toEqual(golden.top5[row]);
      const topLogits = top5.map((index) => logitRows[row]![index]!);
      expect(relativeError(topLogits, golden.top5_logits[row]!)).toBeLessThan(tolerance);
    }
    network.dispose();
  });
});
