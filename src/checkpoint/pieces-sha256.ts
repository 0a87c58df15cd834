import { createHash } from 'node:crypto';

/** SHA-256 of consecutive pieces together, in hexadecimal. */
export function sha256OfPieces(pieces: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
}
