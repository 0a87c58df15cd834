interface Share {
  readonly leaves: Set<number>;
  /** Of them, those whose deadline has passed. */
  readonly overdue: Set<number>;
  /** When this worker was last given work or answered some. */
  movedAtSeconds: number;
}

/** Which worker owes which leaves of one step, and since when. A leaf may be owed by several. */
export class LeafShares<Worker> {
  private readonly shares = new Map<Worker, Share>();

  give(worker: Worker, leaves: readonly number[], nowSeconds: number): void {
    const share = this.shares.get(worker) ?? {
      leaves: new Set<number>(),
      overdue: new Set<number>(),
      movedAtSeconds: nowSeconds,
    };
    if (share.leaves.size === 0) share.movedAtSeconds = nowSeconds;
    for (const leaf of leaves) share.leaves.add(leaf);
    this.shares.set(worker, share);
  }

  /**
   * Takes answered leaves off a worker's share.
   * @returns how many it owed, how many of those late, and the seconds since it last moved
   */
  answer(worker: Worker, leaves: readonly number[], nowSeconds: number) {
    const share = this.shares.get(worker);
    if (!share) return { owed: 0, late: 0, seconds: 0 };
    const owed = leaves.filter((leaf) => share.leaves.delete(leaf)).length;
    const late = leaves.filter((leaf) => share.overdue.delete(leaf)).length;
    const seconds = nowSeconds - share.movedAtSeconds;
    share.movedAtSeconds = nowSeconds;
    if (share.leaves.size === 0) this.shares.delete(worker);
    return { owed, late, seconds };
  }

  /** Forgets a worker, and returns what it owed. */
  drop(worker: Worker): number[] {
    const share = this.shares.get(worker);
    this.shares.delete(worker);
    return [...(share?.leaves ?? [])];
  }

  /**
   * Marks the shares whose time is over, each leaf once.
   * @param deadline seconds for a number of leaves
   */
  expire(nowSeconds: number, deadline: (leaves: number) => number): { worker: Worker; leaves: number[] }[] {
    const expired: { worker: Worker; leaves: number[] }[] = [];
    for (const [worker, share] of this.shares) {
      if (nowSeconds - share.movedAtSeconds < deadline(share.leaves.size)) continue;
      const leaves = [...share.leaves].filter((leaf) => !share.overdue.has(leaf));
      for (const leaf of leaves) share.overdue.add(leaf);
      if (leaves.length > 0) expired.push({ worker, leaves });
    }
    return expired;
  }

  owes(worker: Worker, leaf: number): boolean {
    return this.shares.get(worker)?.leaves.has(leaf) === true;
  }

  /** How many leaves a worker owes. */
  countOf(worker: Worker): number {
    return this.shares.get(worker)?.leaves.size ?? 0;
  }

  /** How many workers owe the leaf and still have time. */
  inTime(leaf: number): number {
    return [...this.shares.values()].filter(({ leaves, overdue }) => leaves.has(leaf) && !overdue.has(leaf))
      .length;
  }

  /** Whether a worker owes the leaf and still has time. */
  isInTime(leaf: number): boolean {
    return this.inTime(leaf) > 0;
  }

  isOwedByOthers(worker: Worker, leaf: number): boolean {
    return [...this.shares].some(([other, { leaves }]) => other !== worker && leaves.has(leaf));
  }

  /** Whether a worker owes anything late. */
  isLate(worker: Worker): boolean {
    return (this.shares.get(worker)?.overdue.size ?? 0) > 0;
  }

  isOwed(leaf: number): boolean {
    return [...this.shares.values()].some(({ leaves }) => leaves.has(leaf));
  }

  get isEmpty(): boolean {
    return this.shares.size === 0;
  }
}
