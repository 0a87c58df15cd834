/** Closes things in the opposite order of opening. A failure of one does not prevent the others from being closed. */
export class Closing {
  private readonly actions: (() => Promise<void> | void)[] = [];

  add(close: () => Promise<void> | void): void {
    this.actions.push(close);
  }

  /** Closes everything, the last first. At the end, throws the first error. */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (let action = this.actions.pop(); action; action = this.actions.pop()) {
      try {
        await action();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
