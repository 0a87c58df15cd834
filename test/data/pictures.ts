import sharp from 'sharp';

/** A small JPEG whose pixels depend on `seed`. */
export async function jpegPicture(seed: number, side = 40): Promise<Buffer> {
  const pixels = Buffer.alloc(side * side * 3);
  for (let index = 0; index < pixels.length; index += 1)
    pixels[index] = (index * (seed + 3) + seed * 41) % 251;
  return sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
    .jpeg({ quality: 90 })
    .toBuffer();
}
