import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { runJobsOf } from '../../src/kube/jobs.js';
import { peerObstacle } from '../../src/kube/peers.js';
import { parseManifests } from '../../src/kube/read-manifests.js';

const labels = { 'app.kubernetes.io/component': 'worker' };
const from = [{ podSelector: {} }];
const ports = [{ port: 7402, endPort: 7409 }];

const coordinatorLabels = { 'app.kubernetes.io/component': 'coordinator' };

/** What keeps workers with these container ports apart, where there are NetworkPolicies with these specs. */
function obstacle(containerPorts: object[], policies: object[]): string | null {
  const job = (name: string) => ({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name },
    spec: {
      template: {
        metadata: { labels: name === 'workers' ? labels : coordinatorLabels },
        spec: { containers: [{ name, ports: containerPorts }] },
      },
    },
  });
  const documents = [
    job('coordinator'),
    job('workers'),
    ...policies.map((spec) => ({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'worker' },
      spec: { podSelector: { matchLabels: labels }, ...spec },
    })),
  ];
  const manifests = parseManifests(documents.map((each) => stringify(each)).join('---\n'), 'test.yaml');
  const { coordinator, workers } = runJobsOf(manifests);
  return peerObstacle(workers.template!, coordinator!.template, manifests);
}

const named = [{ name: 'peers', containerPort: 7402 }];
const consequence = 'so workers cannot exchange gradients, and each gradient goes through the coordinator';

test('workers need a port of their container', () => {
  expect(obstacle([{ containerPort: 7400 }], [])).toBe(
    `the container workers of the workers has no containerPort 7402, ${consequence}`,
  );
});

test.each([
  ['no policy selects them', []],
  ['the policy is of other pods', [{ podSelector: { matchLabels: { a: 'b' } }, ingress: [] }]],
  ['a policy names their port', [{ ingress: [{ from, ports: [{ port: 'peers' }] }] }]],
  ['a policy names a range with it', [{ ingress: [{ from, ports }], egress: [{ to: from, ports }] }]],
  ['a policy allows every port', [{ ingress: [{ from }] }]],
  ['a policy allows everybody', [{ ingress: [{}] }]],
  ['one of two policies allows it', [{ ingress: [] }, { ingress: [{ from, ports }] }]],
])('workers reach one another where %s', (_, policies) => {
  expect(obstacle(named, policies)).toBeNull();
});

test.each([
  ['nothing comes in', 'ingress', [{ policyTypes: ['Ingress'] }]],
  ['nothing goes out', 'egress', [{ ingress: [{ from, ports }], egress: [] }]],
  ['only other ports are allowed', 'ingress', [{ ingress: [{ from, ports: [{ port: 7400 }] }] }]],
  [
    'only other pods are allowed',
    'ingress',
    [{ ingress: [{ from: [{ podSelector: { matchLabels: { a: 'b' } } }], ports }] }],
  ],
  [
    'only another namespace is allowed',
    'ingress',
    [{ ingress: [{ from: [{ ...from[0], namespaceSelector: {} }], ports }] }],
  ],
])('workers do not where %s', (_, direction, policies) => {
  expect(obstacle(named, policies)).toBe(
    `no NetworkPolicy allows ${direction} between workers at port 7402, ${consequence}`,
  );
});

const fromWorkers = [{ podSelector: { matchLabels: labels } }];
const selectsCoordinator = { podSelector: { matchLabels: coordinatorLabels } };

test.each([
  ['workers take nothing from it', 'ingress', [{ ingress: [{ from: fromWorkers, ports }] }]],
  ['it sends nothing', 'egress', [{ ...selectsCoordinator, egress: [] }]],
  [
    'it sends to itself only',
    'egress',
    [{ ...selectsCoordinator, egress: [{ to: [selectsCoordinator], ports }] }],
  ],
])('the coordinator does not reach workers where %s', (_, direction, policies) => {
  expect(obstacle(named, policies)).toBe(
    `no NetworkPolicy allows ${direction} from the coordinator to workers at port 7402, so sums and weights go over the workers' own connections, which takes its main thread more time`,
  );
});

test('the coordinator reaches workers where policies allow both directions', () => {
  const policies = [
    { ingress: [{ from: [...fromWorkers, selectsCoordinator], ports }] },
    { ...selectsCoordinator, egress: [{ to: fromWorkers, ports }] },
  ];
  expect(obstacle(named, policies)).toBeNull();
});
