/** What has been opened, to be closed in the opposite order, each whatever becomes of the others. */
export class Closing {
  private readonly actions: (() => Promise<void> | void)[] = [];

  add(close: () => Promise<void> | void): void {
    this.actions.push(close);
  }

  /** Closes everything, the last first. Throws what the first that failed threw, after all had their turn. */
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
