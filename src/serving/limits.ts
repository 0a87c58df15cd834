/** Bounds of the server. */
export interface ServingLimits {
  /** Bytes of a picture that is sent. */
  readonly uploadBytes: number;
  /** Pixels of a picture, before it is decoded. */
  readonly pixels: number;
  /** Requests that wait for an encoder. */
  readonly waiting: number;
  /** Requests of one address that are answered at once. */
  readonly perClient: number;
  /** Time to receive a request. */
  readonly requestMs: number;
  /** Time to decode and encode a picture, after which its process is ended. */
  readonly encodeMs: number;
}

export const defaultLimits: ServingLimits = {
  uploadBytes: 10 * 2 ** 20,
  pixels: 50_000_000,
  waiting: 16,
  perClient: 8,
  requestMs: 30_000,
  encodeMs: 30_000,
};
