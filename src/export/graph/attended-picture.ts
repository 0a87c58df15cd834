import { cellSide } from '../../model/heads/saliency.js';
import type { PlacedLayer } from '../../model/layout.js';
import type { Maps, Walk } from './walk.js';

/** Adds the attention network of DaSH and what `attended` computes of its map: the picture that the trunk sees. */
export function attendedPicture(walk: Walk, layers: readonly PlacedLayer[], picture: Maps): Maps {
  const map = walk.layers(layers, picture);
  const { height, width } = picture;
  const factors = walk.add({ kind: 'attention', name: 'attention', input: map.name });
  const enlarged = walk.add({
    kind: 'enlarge',
    name: 'attention.enlarged',
    input: factors,
    side: cellSide,
    height: map.height,
    width: map.width,
  });
  const other = walk.add({
    kind: 'slice',
    name: 'attention.pixels',
    input: enlarged,
    begin: { height: 0, width: 0, channels: 0 },
    size: { height, width, channels: 1 },
  });
  const name = walk.add({ kind: 'multiply', name: 'attended', input: picture.name, other });
  return { ...picture, name };
}
