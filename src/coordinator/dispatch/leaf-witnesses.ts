/** What the digests say about one leaf that several workers computed. */
export type Verdict<Worker> =
  | { readonly kind: 'alone' | 'agreed' }
  /** Digests differ, and none has more workers behind it than every other. */
  | { readonly kind: 'contradiction'; readonly workers: readonly Worker[] }
  /** At least two agree; the odd ones do not. */
  | { readonly kind: 'decided'; readonly odd: readonly Worker[] };

/** Who stated which digest of which leaf in one step. */
export class LeafWitnesses<Worker> {
  private readonly statements = new Map<number, Map<Worker, string>>();

  state(leaf: number, worker: Worker, digest: string): void {
    const statements = this.statements.get(leaf) ?? new Map<Worker, string>();
    statements.set(worker, digest);
    this.statements.set(leaf, statements);
  }

  /** Forgets what a worker said that was found wrong. */
  forget(worker: Worker): void {
    for (const statements of this.statements.values()) statements.delete(worker);
  }

  hasStated(leaf: number, worker: Worker): boolean {
    return this.statements.get(leaf)?.has(worker) === true;
  }

  /** How many workers said something of the leaf. */
  countOf(leaf: number): number {
    return this.statements.get(leaf)?.size ?? 0;
  }

  othersStated(leaf: number, worker: Worker): boolean {
    return [...(this.statements.get(leaf)?.keys() ?? [])].some((each) => each !== worker);
  }

  verdict(leaf: number): Verdict<Worker> {
    const statements = [...(this.statements.get(leaf) ?? [])];
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
