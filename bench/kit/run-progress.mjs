// Says every ten seconds what a run that is measured has done, and gives up one in which nothing moves.
const sayEveryMs = 10_000;
const patienceMs = 600_000;

export class RunProgress {
  saidAt = performance.now();
  movedAt = this.saidAt;
  joined = 0;
  steps = 0;

  /**
   * @param {string} name of the run
   * @param {number} members that it waits for
   * @param {() => Promise<{ joined: number, steps: number, warnings: string[] }>} look members and steps so far
   */
  constructor(name, members, look) {
    this.name = name;
    this.members = members;
    this.look = look;
  }

  /** Call it often. @throws Error when neither members nor steps have become more for ten minutes */
  async goOn() {
    const now = performance.now();
    const seconds = (now - this.saidAt) / 1000;
    if (1000 * seconds < sayEveryMs) return;
    this.saidAt = now;
    const { joined, steps, warnings } = await this.look();
    const done = steps - this.steps;
    if (done > 0 || joined > this.joined) this.movedAt = now;
    const rate = done > 0 ? `, ${(seconds / done).toFixed(1)} s a step` : '';
    const has = `${joined} of ${this.members} members have joined, ${steps} steps are done`;
    console.error(`${this.name}: ${has}${rate}`);
    Object.assign(this, { joined, steps });
    if (now - this.movedAt < patienceMs) return;
    throw new Error(
      `${this.name}: nothing has moved for ${patienceMs / 60_000} minutes; ${has}. Its last warnings: ${warnings.slice(-3).join('; ') || 'none'}.`,
    );
  }
}
