import { shortDigest } from '../errors.js';
import type { NumericalIdentity } from '../transport/generated/fcaenet/v1/NumericalIdentity.js';

/**
 * The properties of a worker that determine whether it computes the run's bits. In wire form, with every field present.
 */
export type Identity = Required<NumericalIdentity>;

/** Describes each field in which a worker's identity differs from the run's; empty when equal. */
export function identityDifferences(run: Identity, worker: Identity): string[] {
  const fields = (Object.keys(run) as (keyof Identity)[]).filter((field) => run[field] !== worker[field]);
  // The probe's digest depends on the other fields. If it differs alone, something unknown differs.
  const causes = fields.filter((field) => field !== 'probeSha256');
  return (causes.length > 0 ? causes : fields).map(
    (field) => `${field} is ${shown(worker[field])}, expected ${shown(run[field])}`,
  );
}

/** How to proceed with a worker that would compute other bits. */
export function wayOut(version: string | null): string {
  const build = version === null ? '' : `, fcaenet ${version}`;
  return `use the build that started the run${build}, or admit this worker with spec.operation.exactness=best-effort, which gives other bits`;
}

/** The first characters of a digest, enough to recognise it. */
function shown(value: string | number): string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value) ? shortDigest(value) : String(value);
}
