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
  /** Versions that do not come in ranges any more. */
  private readonly givenUp = new Set<number>();
  private wake: () => void = () => {};

  /**
   * @param set puts weights into the network; the bytes may change when it returns or resolves
   * @param signal ends every wait
   * @param onLost called when work needs a version that never comes
   */
  constructor(
    private readonly set: (bytes: Uint8Array) => void | Promise<void>,
    private readonly signal: AbortSignal,
    private readonly onLost: (version: number) => void,
  ) {
    signal.addEventListener('abort', () => this.wake(), { once: true });
  }

  /** Says that work has come that needs a version. */
  expect(version: number): void {
    this.named.set(version, (this.named.get(version) ?? 0) + 1);
    this.checkLost(version);
  }

  /** The ranges of a version never become complete. */
  giveUp(version: number): void {
    this.givenUp.add(version);
    this.checkLost(version);
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
      // They are this work's from here on, whatever arrives meanwhile.
      this.current = version;
      this.arrived.delete(version);
      await this.set(arrival.bytes);
      arrival.done();
    }
    this.prune();
  }

  private checkLost(version: number): void {
    const isThere = version === this.current || this.arrived.has(version);
    if (this.givenUp.has(version) && this.named.has(version) && !isThere) this.onLost(version);
  }

  private prune(): void {
    for (const [version, { done }] of this.arrived) {
      if (version === this.newest || this.named.has(version)) continue;
      this.arrived.delete(version);
      done();
    }
  }
}
