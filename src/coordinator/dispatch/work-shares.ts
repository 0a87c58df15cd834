interface Share {
  readonly units: Set<number>;
  /** Those of them whose deadline has passed. */
  readonly overdue: Set<number>;
  /** When this worker last got work or answered some. */
  movedAtSeconds: number;
}

/**
 * Records which worker holds which units of one piece of work, and since when. Several workers may hold the same unit.
 */
export class WorkShares<Worker> {
  private readonly shares = new Map<Worker, Share>();

  give(worker: Worker, units: readonly number[], nowSeconds: number): void {
    const share = this.shares.get(worker) ?? {
      units: new Set<number>(),
      overdue: new Set<number>(),
      movedAtSeconds: nowSeconds,
    };
    if (share.units.size === 0) share.movedAtSeconds = nowSeconds;
    for (const unit of units) share.units.add(unit);
    this.shares.set(worker, share);
  }

  /**
   * Removes answered units from a worker's share.
   * @returns how many of the units were late, and the seconds since the share last changed
   */
  answer(worker: Worker, units: readonly number[], nowSeconds: number) {
    const share = this.shares.get(worker);
    if (!share) return { late: 0, seconds: 0 };
    for (const unit of units) share.units.delete(unit);
    const late = units.filter((unit) => share.overdue.delete(unit)).length;
    const seconds = nowSeconds - share.movedAtSeconds;
    share.movedAtSeconds = nowSeconds;
    if (share.units.size === 0) this.shares.delete(worker);
    return { late, seconds };
  }

  /** Removes a worker, and returns the units that it held. */
  drop(worker: Worker): number[] {
    const share = this.shares.get(worker);
    this.shares.delete(worker);
    return [...(share?.units ?? [])];
  }

  /**
   * Marks the shares whose deadline has passed, each unit once.
   * @param deadline seconds for a number of units
   */
  expire(nowSeconds: number, deadline: (units: number) => number): { worker: Worker; units: number[] }[] {
    const expired: { worker: Worker; units: number[] }[] = [];
    for (const [worker, share] of this.shares) {
      if (nowSeconds - share.movedAtSeconds < deadline(share.units.size)) continue;
      const units = [...share.units].filter((unit) => !share.overdue.has(unit));
      for (const unit of units) share.overdue.add(unit);
      if (units.length > 0) expired.push({ worker, units });
    }
    return expired;
  }

  owes(worker: Worker, unit: number): boolean {
    return this.shares.get(worker)?.units.has(unit) === true;
  }

  /** Number of units that a worker holds. */
  countOf(worker: Worker): number {
    return this.shares.get(worker)?.units.size ?? 0;
  }

  /** Number of workers that hold the unit and are within their deadline. */
  inTime(unit: number): number {
    return [...this.shares.values()].filter(({ units, overdue }) => units.has(unit) && !overdue.has(unit))
      .length;
  }

  /** Every unit that a worker holds within its deadline. */
  allInTime(): Set<number> {
    const inTime = new Set<number>();
    for (const { units, overdue } of this.shares.values()) {
      for (const unit of units) if (!overdue.has(unit)) inTime.add(unit);
    }
    return inTime;
  }

  isOwedByOthers(worker: Worker, unit: number): boolean {
    return [...this.shares].some(([other, { units }]) => other !== worker && units.has(unit));
  }

  isOwed(unit: number): boolean {
    return [...this.shares.values()].some(({ units }) => units.has(unit));
  }

  get isEmpty(): boolean {
    return this.shares.size === 0;
  }
}
