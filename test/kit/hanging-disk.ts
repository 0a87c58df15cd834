import system from 'node:fs/promises';

type Operation = (...parameters: unknown[]) => Promise<unknown>;
type FileSystem = typeof system;

/** Operations of a file system, and of its open files, of which some do not answer. */
export class HangingDisk {
  private calls = 0;
  private carryOut: (() => Promise<unknown>)[] = [];
  private onHeld = () => {};
  /** Resolves when an operation was held. */
  held = this.next();

  /**
   * @param name of the operation that does not answer, as in `node:fs/promises`
   * @param isHeld asked at each of its calls, which are counted from 1
   */
  constructor(
    private readonly name: string,
    private readonly isHeld: (call: number) => boolean,
  ) {}

  get system(): FileSystem {
    return this.wrapped(system as unknown as Record<string, Operation>) as unknown as FileSystem;
  }

  /** Carries out late what was held, and answers whoever waits for it. */
  async release(): Promise<void> {
    await Promise.allSettled(this.carryOut.splice(0).map((call) => call()));
  }

  private wrapped(target: Record<string, Operation>): Record<string, Operation> {
    return new Proxy(target, {
      get: (_, key: string) => {
        const original = target[key];
        if (typeof original !== 'function') return original;
        const call = original.bind(target);
        if (key === 'open' && key !== this.name) {
          return async (...parameters: unknown[]) =>
            this.wrapped((await call(...parameters)) as Record<string, Operation>);
        }
        if (key !== this.name) return call;
        return (...parameters: unknown[]) => {
          if (!this.isHeld(++this.calls)) return call(...parameters);
          const { onHeld } = this;
          this.held = this.next();
          onHeld();
          return new Promise((resolve, reject) => {
            this.carryOut.push(() => call(...parameters).then(resolve, reject));
          });
        };
      },
    });
  }

  private next(): Promise<void> {
    return new Promise((resolve) => {
      this.onHeld = resolve;
    });
  }
}
