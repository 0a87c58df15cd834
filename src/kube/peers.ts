import type { z } from 'zod';
import { type Manifest, type NetworkPolicyRule, networkPolicySchema, type PodTemplate } from './manifest.js';

/** Where workers of `deploy/` listen for one another. */
const peerPort = 7402;

/**
 * What keeps workers from exchanging gradients with one another, or the coordinator from calling them, as a sentence; null
 * when nothing does. The run works all the same, but the coordinator has more to carry.
 * @param coordinator null where its pods are not known
 */
export function peerObstacle(
  workers: PodTemplate,
  coordinator: PodTemplate | null,
  manifests: readonly Manifest[],
): string | null {
  const [container] = workers.spec.containers;
  const ports = container!.ports.filter(({ containerPort }) => containerPort === peerPort);
  const consequence = 'so workers cannot exchange gradients, and each gradient goes through the coordinator';
  if (ports.length === 0) {
    return `the container ${container!.name} of the workers has no containerPort ${peerPort}, ${consequence}`;
  }
  const names = ports.flatMap(({ name }) => name ?? []);
  const policies = manifests
    .filter(({ kind }) => kind === 'NetworkPolicy')
    .map((manifest) => networkPolicySchema.parse(manifest).spec);
  const worker = workers.metadata.labels;
  const between = blocked(policies, worker, worker, names);
  if (between !== null) {
    return `no NetworkPolicy allows ${between} between workers at port ${peerPort}, ${consequence}`;
  }
  const toWorkers = coordinator && blocked(policies, coordinator.metadata.labels, worker, names);
  if (toWorkers === null) return null;
  return `no NetworkPolicy allows ${toWorkers} from the coordinator to workers at port ${peerPort}, so sums and weights go over the workers' own connections, which takes its main thread more time`;
}

/** The direction that the policies do not allow; null where they allow both. @param names of the port */
function blocked(
  policies: readonly Policy[],
  from: Labels,
  to: Labels,
  names: readonly string[],
): 'ingress' | 'egress' | null {
  for (const direction of ['Ingress', 'Egress'] as const) {
    const [own, other] = direction === 'Ingress' ? [to, from] : [from, to];
    const deciding = policies.filter(
      (policy) => selects(policy.podSelector.matchLabels, own) && typesOf(policy).includes(direction),
    );
    const rules = deciding.flatMap(
      (policy) => (direction === 'Ingress' ? policy.ingress : policy.egress) ?? [],
    );
    // Where no policy decides, everything is allowed.
    if (deciding.length > 0 && !rules.some((rule) => allows(rule, other, names))) {
      return direction === 'Ingress' ? 'ingress' : 'egress';
    }
  }
  return null;
}

type Policy = z.output<typeof networkPolicySchema>['spec'];
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
