import { type Manifest, type NetworkPolicyRule, networkPolicySchema, type PodTemplate } from './manifest.js';

/** Where workers of `deploy/` listen for one another. */
const peerPort = 7402;

/**
 * What keeps workers from exchanging gradients with one another, as a sentence; null when nothing does. The run works
 * all the same: then every gradient goes through the coordinator.
 */
export function peerObstacle({ metadata, spec }: PodTemplate, manifests: readonly Manifest[]): string | null {
  const [container] = spec.containers;
  const ports = container!.ports.filter(({ containerPort }) => containerPort === peerPort);
  const consequence = 'so workers cannot exchange gradients, and each gradient goes through the coordinator';
  if (ports.length === 0) {
    return `the container ${container!.name} of the workers has no containerPort ${peerPort}, ${consequence}`;
  }
  const names = ports.flatMap(({ name }) => name ?? []);
  const policies = manifests
    .filter(({ kind }) => kind === 'NetworkPolicy')
    .map((manifest) => networkPolicySchema.parse(manifest).spec)
    .filter(({ podSelector }) => selects(podSelector.matchLabels, metadata.labels));
  for (const direction of ['Ingress', 'Egress'] as const) {
    const deciding = policies.filter((policy) => typesOf(policy).includes(direction));
    const rules = deciding.flatMap(
      (policy) => (direction === 'Ingress' ? policy.ingress : policy.egress) ?? [],
    );
    // Where no policy decides, everything is allowed.
    if (deciding.length === 0 || rules.some((rule) => allows(rule, metadata.labels, names))) continue;
    return `no NetworkPolicy allows ${direction.toLowerCase()} between workers at port ${peerPort}, ${consequence}`;
  }
  return null;
}

type Labels = Readonly<Record<string, string>>;

/** As the API server fills it in. */
function typesOf({ policyTypes, egress }: { policyTypes?: string[]; egress?: unknown[] }): readonly string[] {
  return policyTypes ?? (egress ? ['Ingress', 'Egress'] : ['Ingress']);
}

function allows({ from, to, ports }: NetworkPolicyRule, labels: Labels, names: readonly string[]): boolean {
  const peers = from ?? to ?? [];
  const isPeer =
    peers.length === 0 ||
    peers.some(
      ({ podSelector, namespaceSelector }) =>
        podSelector !== undefined && !namespaceSelector && selects(podSelector.matchLabels, labels),
    );
  const isPort =
    ports === undefined ||
    ports.some(({ port, endPort }) => {
      if (typeof port === 'string') return names.includes(port);
      return port === undefined || (port <= peerPort && peerPort <= (endPort ?? port));
    });
  return isPeer && isPort;
}

function selects(matchLabels: Labels, labels: Labels): boolean {
  return Object.entries(matchLabels).every(([name, value]) => labels[name] === value);
}
