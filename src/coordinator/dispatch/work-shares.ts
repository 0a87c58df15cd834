interface Share {
  readonly units: Set<number>;
  /** Those of them whose deadline has passed. */
  readonly overdue: Set<number>;
  /** Those of them that have not left this process yet. */
  readonly leaving: Set<number>;
  /** When its first work left, or its worker last answered some of it. */
  movedAtSeconds: number;
}

/** The units that a worker holds, as far as its deadline depends on them. */
export interface HeldShare {
  readonly units: number;
  /** Whether some of them have not left this process yet. */
  readonly isLeaving: boolean;
  /** When its first work left, or its worker last answered some of it. */
  readonly movedAtSeconds: number;
}

/**
 * Records which worker holds which units of one piece of work, and since when. Several workers may hold the same unit.
 */
export class WorkShares<Worker> {
  private readonly shares = new Map<Worker, Share>();
  /** Workers that have answered something. */
  private readonly heard = new Set<Worker>();

  /** Some units are on their way to a worker; `left` says when they have left this process. */
  give(worker: Worker, units: readonly number[], nowSeconds: number): void {
    const share = this.shares.get(worker) ?? {
      units: new Set<number>(),
      overdue: new Set<number>(),
      leaving: new Set<number>(),
      movedAtSeconds: nowSeconds,
    };
    for (const unit of units) {
      share.units.add(unit);
      share.leaving.add(unit);
    }
    this.shares.set(worker, share);
  }

  /** The messages with these units have left this process. The worker's time starts, unless it has other work already. */
  left(worker: Worker, units: readonly number[], nowSeconds: number): void {
    const share = this.shares.get(worker);
    if (!share) return;
    if (share.leaving.size === share.units.size) share.movedAtSeconds = nowSeconds;
    for (const unit of units) share.leaving.delete(unit);
  }

  /**
   * Removes answered units from a worker's share.
   * @returns how many of the units were late, and the seconds since the work left or the worker last answered
   */
  answer(worker: Worker, units: readonly number[], nowSeconds: number) {
    const share = this.shares.get(worker);
    if (!share) return { late: 0, seconds: 0 };
    this.heard.add(worker);
    for (const unit of units) {
      share.units.delete(unit);
      share.leaving.delete(unit);
    }
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

  /** Marks the shares of workers that are late, each unit once. */
  expire(isLate: (worker: Worker, share: HeldShare) => boolean): { worker: Worker; units: number[] }[] {
    const expired: { worker: Worker; units: number[] }[] = [];
    for (const [worker, share] of this.shares) {
      if (!isLate(worker, held(share))) continue;
      const units = [...share.units].filter((unit) => !share.overdue.has(unit));
      for (const unit of units) share.overdue.add(unit);
      if (units.length > 0) expired.push({ worker, units });
    }
    return expired;
  }

  owes(worker: Worker, unit: number): boolean {
    return this.shares.get(worker)?.units.has(unit) === true;
  }

  /** Number of workers that hold units and have not answered any yet. */
  get silent(): number {
    return [...this.shares.keys()].filter((worker) => !this.heard.has(worker)).length;
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

  /** Every unit whose deadline has passed, and whose worker's answer is expected first all the same. */
  expectedFirst(comesFirst: (worker: Worker, share: HeldShare) => boolean): Set<number> {
    const expected = new Set<number>();
    for (const [worker, share] of this.shares) {
      if (share.overdue.size === 0 || !comesFirst(worker, held(share))) continue;
      for (const unit of share.overdue) expected.add(unit);
    }
    return expected;
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

function held({ units, leaving, movedAtSeconds }: Share): HeldShare {
  return { units: units.size, isLeaving: leaving.size > 0, movedAtSeconds };
}
