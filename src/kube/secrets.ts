import type { Manifest } from './manifest.js';

/** Names of the Secrets that objects refer to and that are not among them: they must already exist. */
export function missingSecrets(manifests: readonly Manifest[]): string[] {
  const names = new Set(manifests.flatMap(referredIn));
  for (const { kind, metadata } of manifests) if (kind === 'Secret') names.delete(metadata.name);
  return [...names].sort();
}

/** Names of all Secrets in a value: in volumes and variables of pods, wherever an object has its pods. */
function referredIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(referredIn);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    if (key === 'secretName') return typeof inner === 'string' ? [inner] : [];
    const references: unknown[] =
      key === 'imagePullSecrets' && Array.isArray(inner)
        ? inner
        : ['secret', 'secretRef', 'secretKeyRef'].includes(key)
          ? [inner]
          : [];
    const named = references
      .map((reference) => (reference as { name?: unknown } | null)?.name)
      .filter((name) => typeof name === 'string');
    return named.length > 0 ? named : referredIn(inner);
  });
}
