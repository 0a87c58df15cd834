/** The result of comparing the digests of one unit that several workers computed. */
export type Verdict<Worker> =
  | { readonly kind: 'alone' }
  | { readonly kind: 'agreed' }
  /** Digests differ, and no digest is the most frequent one. */
  | { readonly kind: 'contradiction'; readonly workers: readonly Worker[] }
  /** At least two workers agree, and the others are outvoted. */
  | { readonly kind: 'decided'; readonly outvoted: readonly Worker[] };

/** Records which worker reported which digest of which unit. */
export class Witnesses<Worker> {
  private readonly statements = new Map<number, Map<Worker, string>>();

  state(unit: number, worker: Worker, digest: string): void {
    const statements = this.statements.get(unit) ?? new Map<Worker, string>();
    statements.set(worker, digest);
    this.statements.set(unit, statements);
  }

  /** Removes all digests of a worker that was wrong. */
  remove(worker: Worker): void {
    for (const statements of this.statements.values()) statements.delete(worker);
  }

  hasStated(unit: number, worker: Worker): boolean {
    return this.statements.get(unit)?.has(worker) === true;
  }

  /** Number of workers that reported a digest of the unit. */
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
    return {
      kind: 'decided',
      outvoted: statements.map(([worker]) => worker).filter((w) => !most!.includes(w)),
    };
  }
}
