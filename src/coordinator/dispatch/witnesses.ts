/** What the digests say about one unit of work that several workers computed. */
export type Verdict<Worker> =
  | { readonly kind: 'alone' }
  | { readonly kind: 'agreed' }
  /** Digests differ, and none has more workers behind it than every other. */
  | { readonly kind: 'contradiction'; readonly workers: readonly Worker[] }
  /** At least two agree; the odd ones do not. */
  | { readonly kind: 'decided'; readonly odd: readonly Worker[] };

/** Who stated which digest of which unit of one piece of work. */
export class Witnesses<Worker> {
  private readonly statements = new Map<number, Map<Worker, string>>();

  state(unit: number, worker: Worker, digest: string): void {
    const statements = this.statements.get(unit) ?? new Map<Worker, string>();
    statements.set(worker, digest);
    this.statements.set(unit, statements);
  }

  /** Forgets what a worker said that was found wrong. */
  forget(worker: Worker): void {
    for (const statements of this.statements.values()) statements.delete(worker);
  }

  hasStated(unit: number, worker: Worker): boolean {
    return this.statements.get(unit)?.has(worker) === true;
  }

  /** How many workers said something of the unit. */
  countOf(unit: number): number {
    return this.statements.get(unit)?.size ?? 0;
  }

  othersStated(unit: number, worker: Worker): boolean {
    return [...(this.statements.get(unit)?.keys() ?? [])].some((each) => each !== worker);
  }

  verdict(unit: number): Verdict<Worker> {
    const statements = [...(this.statements.get(unit) ?? [])];
    const byDigest = new Map<string, Worker[]>();
    for (const [worker, digest] of statements) {
      byDigest.set(digest, [...(byDigest.get(digest) ?? []), worker]);
    }
    if (byDigest.size <= 1) return { kind: statements.length > 1 ? 'agreed' : 'alone' };
    const [most, next] = [...byDigest.values()].sort((a, b) => b.length - a.length);
    if (most!.length === next!.length) {
      return { kind: 'contradiction', workers: statements.map(([worker]) => worker) };
    }
    return { kind: 'decided', odd: statements.map(([worker]) => worker).filter((w) => !most!.includes(w)) };
  }
}
