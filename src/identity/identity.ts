import { shortDigest } from '../errors.js';
import type { WirePrecision } from '../run/training-run.js';
import type { NumericalIdentity } from '../transport/generated/fcaenet/v1/NumericalIdentity.js';

/** What is there only where a GPU computes. A worker on processors has the identity that it had without them. */
const gpuFields = ['deviceModel', 'computeCapability', 'driverVersion'] as const;
type GpuField = (typeof gpuFields)[number];

/**
 * The properties of a worker that determine whether it computes the run's bits. In wire form, with every field present
 * but those of a GPU where none computes.
 */
export type Identity = Required<Omit<NumericalIdentity, GpuField>> & Pick<NumericalIdentity, GpuField>;

/** The identity in a message: fields of a GPU that are empty are left out. */
export function identityFrom(message: object): Identity {
  const entries = Object.entries(message);
  return Object.fromEntries(
    entries.filter(([field, value]) => value !== '' || !(gpuFields as readonly string[]).includes(field)),
  ) as Identity;
}

/** Describes each field in which a worker's identity differs from the run's; empty when equal. */
export function identityDifferences(run: Identity, worker: Identity): string[] {
  const known = new Set([...Object.keys(run), ...Object.keys(worker)]) as Set<keyof Identity>;
  const fields = [...known].filter((field) => run[field] !== worker[field]);
  // The probe's digest depends on the other fields. If it differs alone, something unknown differs.
  const causes = fields.filter((field) => field !== 'probeSha256');
  return (causes.length > 0 ? causes : fields).map(
    (field) => `${field} is ${shown(worker[field])}, expected ${shown(run[field])}`,
  );
}

/**
 * Why a worker's device is none that the run takes, as a clause; null where it is one.
 * @param models names of GPUs or parts of them, in any case; null takes every device
 */
export function deviceModelFault({ deviceModel }: Identity, models: readonly string[] | null): string | null {
  if (models === null) return null;
  const own = deviceModel?.toLowerCase();
  if (own !== undefined && models.some((model) => own.includes(model.toLowerCase()))) return null;
  const device = deviceModel === undefined ? 'no GPU' : deviceModel;
  return `this worker computes on ${device}, but spec.operation.membership.deviceModels takes only ${models.join(', ')}`;
}

/**
 * Why a worker cannot exchange gradients and weights with the run's coordinator, as a clause; null where it can.
 * @param precision the run's
 */
export function wirePrecisionFault(worker: Identity, precision: WirePrecision): string | null {
  if (worker.wirePrecision === precision) return null;
  return `this worker sends gradients in ${shown(worker.wirePrecision)}, but spec.wire.precision is ${precision}: it needs the fcaenet of the coordinator`;
}

/** How to proceed with a worker that would compute other bits. */
export function wayOut(version: string | null): string {
  const build = version === null ? '' : `, fcaenet ${version}`;
  return `use the build that started the run${build}, or admit this worker with spec.operation.exactness=best-effort, which gives other bits`;
}

/** The first characters of a digest, enough to recognise it. */
function shown(value: string | number | undefined): string {
  if (value === undefined) return 'none';
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value) ? shortDigest(value) : String(value);
}
