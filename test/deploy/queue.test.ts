import { describe, expect, test } from 'vitest';
import { examineManifests } from '../../src/kube/examine.js';
import { find, kubectlMissing } from '../kit/kubernetes/kustomize.js';
import { builds } from './builds.js';

describe.skipIf(kubectlMissing !== '')(`the queue of Kueue${kubectlMissing}`, () => {
  test('is that of the JobSet, and fcaenet doctor --kube names it', () => {
    const manifests = builds['deploy/overlays/vegfru-48bit + jobset + kueue']!();
    const queue = find(manifests, 'JobSet', 'fcaenet').metadata.labels?.['kueue.x-k8s.io/queue-name'];
    expect(find(builds['deploy/kueue']!(), 'LocalQueue', queue!)).toBeDefined();
    const { text } = examineManifests(manifests).find(({ name }) => name === 'queue')!;
    expect(text).toBe('Kueue starts the JobSet; the local queue fcaenet must be in its namespace');
  });
});
