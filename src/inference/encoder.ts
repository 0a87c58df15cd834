import { requireModestPicture } from '../data/picture-bounds.js';
import { readNamedPicture } from '../data/picture-file.js';
import type { Picture } from './picture-pixels.js';
import type { TrainedNetwork } from './trained-network.js';

/** A picture to encode: the path of its file, or its bytes. */
export type PictureSource = string | Picture;

/** Makes codes of pictures, here or in processes of its own. */
export interface Encoder {
  /** Requests that should be given at once, so that the next pictures are decoded while others are computed. */
  readonly requests: number;
  /**
   * @returns packed `[pictures, wordsPerCode(bits)]`
   * @throws DatasetError DATASET_IMAGE_MISSING, DATASET_IMAGE_DAMAGED, DATASET_IMAGE_TOO_LARGE
   */
  encode(pictures: readonly PictureSource[]): Promise<Uint32Array<ArrayBuffer>>;
  close(): Promise<void>;
}

/** Encodes in this process. */
export class LocalEncoder implements Encoder {
  readonly requests = 2;
  /** Computations run one after another; pictures are decoded meanwhile. */
  private turn: Promise<unknown> = Promise.resolve();

  /** @param mostPixels of a picture, checked before it is decoded; null decodes every picture */
  constructor(
    private readonly trained: TrainedNetwork,
    private readonly mostPixels: number | null = null,
  ) {}

  async encode(pictures: readonly PictureSource[]): Promise<Uint32Array<ArrayBuffer>> {
    const read = await Promise.all(
      pictures.map(async (picture) =>
        typeof picture === 'string' ? { name: picture, bytes: await readNamedPicture(picture) } : picture,
      ),
    );
    const { mostPixels } = this;
    if (mostPixels !== null) {
      await Promise.all(read.map(({ bytes, name }) => requireModestPicture(bytes, name, mostPixels)));
    }
    const pixels = await this.trained.pixelsOf(read);
    const codes = this.turn.then(() => this.trained.codesOfPixels(pixels, pictures.length));
    this.turn = codes.catch(() => {});
    return codes;
  }

  async close(): Promise<void> {
    await this.turn;
    this.trained.dispose();
  }
}
