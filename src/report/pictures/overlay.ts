/** Colours of attention from 0 to 1: dark blue, red, yellow. Their brightness rises, so that they also differ in grey. */
const colours = [
  [0, 24, 96],
  [128, 24, 112],
  [224, 72, 56],
  [255, 168, 32],
  [255, 248, 128],
] as const;
/** Share of the colour; the rest is the picture. */
const opacity = 0.55;

/**
 * Lays the colours of an attention map over a picture.
 * @param pixels uint8 `[height, width, 3]`
 * @param attention from 0 to 1 `[height, width]`
 */
export function overlayAttention(pixels: Uint8Array, attention: Float64Array): Uint8Array {
  return pixels.map((value, index) => {
    const place = Math.min(1, Math.max(0, attention[Math.floor(index / 3)]!)) * (colours.length - 1);
    const lower = Math.min(colours.length - 2, Math.floor(place));
    const [from, to] = [colours[lower]![index % 3]!, colours[lower + 1]![index % 3]!];
    return Math.round((1 - opacity) * value + opacity * (from + (place - lower) * (to - from)));
  });
}

/** Colour of the outline of erased regions, which photographs seldom have. */
const outline = [255, 48, 200] as const;

/**
 * Erases pixels as the network sees it, with the colour that normalisation turns into 0, and draws an outline on the
 * erased pixels beside others.
 * @param pixels uint8 `[height, width, 3]`
 * @param mask 0 = erased `[height, width]`
 * @param colour of the erased pixels
 */
export function eraseOutlined(
  pixels: Uint8Array,
  mask: Uint8Array,
  width: number,
  colour: readonly [number, number, number],
): Uint8Array {
  const isKept = (pixel: number) => mask[pixel] === 1;
  const isEdge = (pixel: number) =>
    isKept(pixel - width) ||
    isKept(pixel + width) ||
    (pixel % width > 0 && isKept(pixel - 1)) ||
    (pixel % width < width - 1 && isKept(pixel + 1));
  return pixels.map((value, index) => {
    const pixel = Math.floor(index / 3);
    if (mask[pixel] !== 0) return value;
    return (isEdge(pixel) ? outline : colour)[index % 3]!;
  });
}
