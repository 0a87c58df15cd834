import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { encodeOnnxNetwork } from '../../src/export/graph/onnx.js';
import { encodeImages } from '../../src/model/encode.js';
import { Network } from '../../src/model/network.js';
import { normalizeImages } from '../../src/model/preprocess.js';
import { useEngine } from '../model/engine.js';
import { exportedLayouts, exportedNetwork, exportedPictures } from './networks.js';

/** Pictures of each network: a bit in a thousand that differs is seen. */
const count = 100;

const runtime = execFileSync(process.execPath, ['scripts/onnxruntime.mjs', '--path'], {
  encoding: 'utf8',
}).trim();
const without = existsSync(runtime) ? '' : ' (skipped: ONNX Runtime is not there; npm run setup:onnxruntime)';

interface Tensor {
  readonly data: ArrayLike<number> & Iterable<number>;
  readonly dims: readonly number[];
}
interface OnnxRuntime {
  readonly InferenceSession: {
    create(model: Uint8Array): Promise<{ run(feeds: object): Promise<Record<'u' | 'bits', Tensor>> }>;
  };
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => Tensor;
}

useEngine();

test.skipIf(without).each(Object.entries(exportedLayouts))(
  `ONNX Runtime computes the bits of fcaenet: %s${without}`,
  async (_, layout) => {
    const { InferenceSession, Tensor } = createRequire(import.meta.url)(runtime) as OnnxRuntime;
    const network = exportedNetwork(layout);
    const { height, width, bits } = layout;
    const pictures = exportedPictures(layout, count);
    const own = new Network(layout);
    own.setWeights(network.weights);
    const { u } = encodeImages(own, normalizeImages(pictures, layout.trunk.preprocessing), count);
    own.dispose();

    const images = new Float32Array(pictures.length);
    const pixels = height * width;
    pictures.forEach((value, index) => {
      const [picture, pixel, channel] = [
        Math.floor(index / (3 * pixels)),
        Math.floor(index / 3) % pixels,
        index % 3,
      ];
      images[(picture * 3 + channel) * pixels + pixel] = value / 255;
    });
    const session = await InferenceSession.create(encodeOnnxNetwork(network));
    const found = await session.run({ images: new Tensor('float32', images, [count, 3, height, width]) });

    expect(found.u.dims).toEqual([count, bits]);
    const equal = u.filter((value, index) => found.bits.data[index] === Number(value >= 0)).length;
    expect(equal / u.length).toBeGreaterThanOrEqual(0.999);
    const difference = Math.max(...u.map((value, index) => Math.abs(value - found.u.data[index]!)));
    expect(difference).toBeLessThan(1e-4);
    // Codes of all the same sign would be equal without any computation.
    expect(new Set(found.bits.data)).toEqual(new Set([0, 1]));
  },
);
