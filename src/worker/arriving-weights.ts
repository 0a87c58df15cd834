interface Arrival {
  readonly bytes: Uint8Array;
  /** Called when the bytes are not read any more. */
  readonly done: () => void;
}

/**
 * Weights on their way to the network. They come whole from the coordinator or in ranges from other workers, before or
 * after the work that names them. A version is kept until work that names it has begun, or until a newer one comes and
 * no work names it.
 */
export class ArrivingWeights {
  private current: number | null = null;
  private newest = -1;
  private readonly arrived = new Map<number, Arrival>();
  /** How many pieces of work name a version and have not begun. */
  private readonly named = new Map<number, number>();
  private wake: () => void = () => {};

  /**
   * @param set puts weights into the network; the bytes may change after it
   * @param signal ends every wait
   */
  constructor(
    private readonly set: (bytes: Uint8Array) => void,
    private readonly signal: AbortSignal,
  ) {
    signal.addEventListener('abort', () => this.wake(), { once: true });
  }

  /** Says that work has come that needs a version. */
  expect(version: number): void {
    this.named.set(version, (this.named.get(version) ?? 0) + 1);
  }

  arrive(version: number, bytes: Uint8Array, done: () => void): void {
    if (this.arrived.has(version) || version === this.current) {
      done();
      return;
    }
    this.arrived.set(version, { bytes, done });
    this.newest = Math.max(this.newest, version);
    this.prune();
    this.wake();
  }

  /** Resolves when the network has the weights that a piece of expected work needs, or when the signal fires. */
  async use(version: number): Promise<void> {
    while (version !== this.current && !this.arrived.has(version) && !this.signal.aborted) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    const left = this.named.get(version)! - 1;
    if (left === 0) this.named.delete(version);
    else this.named.set(version, left);
    const arrival = this.arrived.get(version);
    if (arrival && !this.signal.aborted) {
      this.set(arrival.bytes);
      this.current = version;
      this.arrived.delete(version);
      arrival.done();
    }
    this.prune();
  }

  private prune(): void {
    for (const [version, { done }] of this.arrived) {
      if (version === this.newest || this.named.has(version)) continue;
      this.arrived.delete(version);
      done();
    }
  }
}
