import type { NumericalIdentity } from '../transport/generated/fcaenet/v1/NumericalIdentity.js';

/** The part of a worker that decides whether its results have the run's bits. Wire form, every field present. */
export type Identity = Required<NumericalIdentity>;

/** Field by field, what differs between the run's identity and a worker's, in words; empty when equal. */
export function identityDifferences(run: Identity, worker: Identity): string[] {
  return (Object.keys(run) as (keyof Identity)[])
    .filter((field) => run[field] !== worker[field])
    .map((field) => `${field} is ${worker[field]} where the run has ${run[field]}`);
}
