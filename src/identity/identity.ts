import type { NumericalIdentity } from '../transport/generated/fcaenet/v1/NumericalIdentity.js';

/** The part of a worker that decides whether its results have the run's bits. Wire form, every field present. */
export type Identity = Required<NumericalIdentity>;

/** Field by field, what differs between the run's identity and a worker's, in words; empty when equal. */
export function identityDifferences(run: Identity, worker: Identity): string[] {
  const fields = (Object.keys(run) as (keyof Identity)[]).filter((field) => run[field] !== worker[field]);
  // The probe's digest follows from the others: alone it says that something else is different.
  const causes = fields.filter((field) => field !== 'probeSha256');
  return (causes.length > 0 ? causes : fields).map(
    (field) => `${field} is ${shown(worker[field])} where the run has ${shown(run[field])}`,
  );
}

/** What can be done about a worker whose bits would differ. */
export function wayOut(version: string | null): string {
  const build = version === null ? '' : `, fcaenet ${version}`;
  return `go on with the build that began the run${build}, or admit this worker with spec.operation.exactness=best-effort, which gives other bits`;
}

/** Of a digest, enough to tell it from another. */
function shown(value: string | number): string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value) ? `${value.slice(0, 12)}…` : String(value);
}
