import { entityTag } from './reply.js';

/** Within this time the same bytes are sent again, however many ask. */
const freshMs = 400;

export interface JsonDocument {
  readonly body: Buffer;
  readonly etag: string;
}

/** JSON of a changing value, made at most a few times a second. */
export class CachedJson {
  private made: Promise<JsonDocument | null> | null = null;
  private madeAtMs = 0;

  /** @param read null when there is no such value */
  constructor(
    private readonly read: () => Promise<object | null>,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  /** The value as it was at most 400 ms ago; null when there is none. Throws what reading throws. */
  get(): Promise<JsonDocument | null> {
    const now = this.nowMs();
    if (this.made === null || now - this.madeAtMs >= freshMs) {
      this.madeAtMs = now;
      this.made = this.make();
    }
    return this.made;
  }

  /** The next reader gets the value as it is then. */
  expire(): void {
    this.made = null;
  }

  private async make(): Promise<JsonDocument | null> {
    const value = await this.read();
    if (value === null) return null;
    const body = Buffer.from(JSON.stringify(value));
    return { body, etag: entityTag(body) };
  }
}
