import type { MaxPoolLayer, Padding } from '../../model/architecture.js';
import type { BatchNormSpec, ParameterSpec } from '../../model/layout.js';

/** Zeros on each side of an image. */
export interface Sides {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

interface Common {
  /** Names the operation and its result. */
  readonly name: string;
  /** Names the operation whose result is its input; `networkInput` for the first. */
  readonly input: string;
}

/** Sides and channels of a map. */
export interface Extents {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** One operation of a network in eval mode. The input is a batch of normalised images. */
export type NetworkOperation =
  | (Common & {
      readonly kind: 'convolution';
      /** One kernel per channel. */
      readonly depthwise: boolean;
      readonly filter: ParameterSpec;
      readonly stride: number;
      /** As the architecture has it. */
      readonly padding: Padding;
      /** The same for this size of image. */
      readonly sides: Sides;
      /** Channels of the input. */
      readonly channels: number;
    })
  | (Common & {
      readonly kind: 'batchNorm';
      readonly scale: ParameterSpec;
      readonly offset: ParameterSpec;
      readonly statistics: BatchNormSpec;
    })
  | (Common & { readonly kind: 'relu' | 'relu6' | 'tanh' })
  /** Largest value of each window. No input is negative, so zeros around it do not change the result. */
  | (Common & Pick<MaxPoolLayer, 'size' | 'stride' | 'padding'> & { readonly kind: 'maxPool' })
  /** The sum or product of two maps, value by value. A map of one channel counts for every channel of the other. */
  | (Common & { readonly kind: 'add' | 'multiply'; readonly other: string })
  /** A part of a map: `size` of it, behind `begin` of each axis. */
  | (Common & { readonly kind: 'slice'; readonly begin: Extents; readonly size: Extents })
  /** 1 + tanh(x̂ / 4) of a map of one channel, where x̂ has mean 0 and variance 1 in each picture. */
  | (Common & { readonly kind: 'attention' })
  /** Each value of a map of `height` × `width` and one channel becomes a square. */
  | (Common & { readonly kind: 'enlarge' } & Readonly<Record<'side' | 'height' | 'width', number>>)
  /** Rows of several inputs one after the other, or their features side by side. */
  | (Common & {
      readonly kind: 'concatenate';
      readonly others: readonly string[];
      readonly along: 'rows' | 'features';
    })
  /** Mean over height and width. */
  | (Common & { readonly kind: 'mean' })
  | (Common & { readonly kind: 'dense'; readonly weight: ParameterSpec; readonly bias: ParameterSpec })
  /**
   * W [f¹; …] + b. The input has a row of `width` features for each image and part, those of the first part first. It is a
   * sum of one product for each part, as in `hashLocalFeatures`.
   */
  | (Common & {
      readonly kind: 'denseOverParts';
      readonly parts: number;
      readonly width: number;
      readonly weight: ParameterSpec;
      readonly bias: ParameterSpec;
    });

/** The input of the first operation: normalised images. */
export const networkInput = 'normalised';
/** The last operation: u = tanh(W f + b) `[n, bits]` (equation 2). */
export const networkOutput = 'u';
