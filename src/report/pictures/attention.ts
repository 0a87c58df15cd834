import { TrainedNetwork } from '../../inference/trained-network.js';
import type { TrainedRun } from '../../inference/trained-run.js';
import { usesErasing } from '../../methods/methods.js';
import { attentionMap } from '../../model/attention.js';
import { erasingMask } from '../../model/erasing.js';
import { scalings } from '../../model/preprocess.js';
import { eraseOutlined, overlayAttention } from './overlay.js';
import { pixelsUri } from './picture-files.js';

/** What the network of a checkpoint attends to in one picture, as data URIs. */
export interface AttendedPicture {
  /** What the network sees. */
  readonly input: string;
  /** Its attention (equations 3 and 4) in colours over the input. */
  readonly attention: string;
  /** The input with the regions that SREM erases (Algorithm 1, equation 5); null where the method does not erase. */
  readonly erased: string | null;
  /** Share of the erased pixels; null where the method does not erase. */
  readonly erasedShare: number | null;
}

/**
 * Computes what a run's network attends to, in this process, with the running statistics of batch normalisation.
 * @param files bytes of the pictures, with their names for messages
 * @throws EngineError when no engine can run here; DatasetError DATASET_IMAGE_DAMAGED
 */
export async function attendedPictures(
  trained: TrainedRun,
  files: readonly { readonly name: string; readonly bytes: Buffer }[],
  onDone: () => void,
): Promise<AttendedPicture[]> {
  const { layout, spec } = trained;
  const { model, erasing, method } = spec;
  const { imageSize: side } = model;
  const network = await TrainedNetwork.load(trained);
  try {
    const { divisor, mean } = scalings[layout.trunk.preprocessing];
    const neutral = mean.map((value) => Math.round(value * divisor)) as [number, number, number];
    const attended: AttendedPicture[] = [];
    for (const file of files) {
      const pixels = await network.pixelsOf([file]);
      const { shape, values } = await network.featureMaps(pixels, 1);
      const [, height, width, channels] = shape;
      const attention = attentionMap(values, { height, width }, channels, layout);
      const mask = usesErasing(method) ? erasingMask(attention, layout, erasing) : null;
      attended.push({
        input: await pixelsUri(pixels, side),
        attention: await pixelsUri(overlayAttention(pixels, attention), side),
        erased: mask && (await pixelsUri(eraseOutlined(pixels, mask, side, neutral), side)),
        erasedShare: mask && mask.reduce((sum, kept) => sum + 1 - kept, 0) / mask.length,
      });
      onDone();
    }
    return attended;
  } finally {
    network.dispose();
  }
}
