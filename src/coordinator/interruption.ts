import type { FcaenetError } from '../errors.js';

/** The reason to stop a run early: a signal or a failure. Only the first reason counts. */
export class Interruption {
  private readonly controller = new AbortController();

  /** @param onAsked called when somebody asks the run to stop, also when it fails already */
  constructor(private readonly onAsked: () => void = () => {}) {}

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  get error(): FcaenetError | null {
    return this.signal.aborted ? (this.signal.reason as FcaenetError) : null;
  }

  /** Interrupts because somebody asks for it: a signal, or `fcaenet stop`. */
  ask(error: FcaenetError): void {
    this.onAsked();
    this.interrupt(error);
  }

  interrupt(error: FcaenetError): void {
    if (!this.signal.aborted) this.controller.abort(error);
  }

  /** @throws the reason, if there is one */
  check(): void {
    this.signal.throwIfAborted();
  }

  /**
   * Waits for `work` and returns its result. Rejects with the reason as soon as there is one, while the work may still
   * continue. So the work must only read.
   */
  async during<Result>(work: Promise<Result>): Promise<Result> {
    const { signal } = this;
    let interrupted = () => {};
    const reason = new Promise<never>((_, reject) => {
      interrupted = () => reject(signal.reason);
      if (signal.aborted) interrupted();
      else signal.addEventListener('abort', interrupted, { once: true });
    });
    try {
      return await Promise.race([work, reason]);
    } finally {
      signal.removeEventListener('abort', interrupted);
    }
  }
}
