import { createHash, timingSafeEqual } from 'node:crypto';

/** Whether a certificate is the one with this hash. @param der undefined when there is none */
export function isCertificate(der: Uint8Array | undefined, sha256: Uint8Array): boolean {
  return der !== undefined && isSame(createHash('sha256').update(der).digest(), sha256);
}

/** Whether two secrets are the same. The comparison takes constant time. */
export function isSame(left: Uint8Array, right: Uint8Array): boolean {
  const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();
  return timingSafeEqual(digest(left), digest(right));
}
