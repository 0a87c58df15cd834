import type { PlacedLayer } from '../placement.js';

/** Layers of a trunk whose maps have one size. */
export interface Stage {
  /** Index of its last layer. */
  readonly end: number;
  /** Channels of that layer's output. */
  readonly channels: number;
}

/**
 * The stages of a trunk whose maps are a quarter of the picture's side or less, the largest maps first. Every backbone
 * has four of them.
 */
export function stagesOf(layers: readonly PlacedLayer[]): Stage[] {
  const stages = new Map<number, Stage>();
  let [reduction, channels] = [1, 3];
  layers.forEach((layer, end) => {
    reduction *= strideOf(layer);
    channels = channelsOf(layer) ?? channels;
    stages.set(reduction, { end, channels });
  });
  return [...stages].filter(([side]) => side >= 4).map(([, stage]) => stage);
}

/** By how much a layer divides the sides of its input. */
function strideOf(layer: PlacedLayer): number {
  if (layer.kind !== 'residual') return layer.stride;
  return layer.main.reduce((product, each) => product * strideOf(each), layer.last.stride);
}

/** Channels of a layer's output, or undefined where they are those of its input. */
function channelsOf(layer: PlacedLayer): number | undefined {
  if (layer.kind === 'residual') return channelsOf(layer.last);
  return layer.kind === 'convolution' ? layer.filters : undefined;
}
