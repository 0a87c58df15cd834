import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import type { ServeOptions } from '../../src/commands/serve.js';
import { examineManifests } from '../../src/kube/examine.js';
import { requireProtection } from '../../src/serving/guard.js';
import { parseCommandLine } from '../cli/support.js';
import { find, kubectlMissing, type Manifest, podTemplates } from '../kit/kubernetes/kustomize.js';
import { builds } from './builds.js';

test.skipIf(kubectlMissing !== '')(
  `the server of deploy/serve starts by its command line, and is asked at the port where it listens${kubectlMissing}`,
  async () => {
    const manifests = builds['deploy/serve']!();
    const { template } = podTemplates(manifests)[0]!;
    const [container] = template.spec.containers;
    expect(container.command).toEqual(['tini', '--', 'fcaenet']);
    const [call] = await parseCommandLine(...container.args);
    expect(call!.action).toBe('serve');
    const { listen, tls, tokenFile } = call!.options[0] as ServeOptions;
    const { host, port } = listen;
    const protection = { token: tokenFile ?? null, hasTls: tls !== undefined, plainText: false };
    expect(() => requireProtection(host, 'there', protection)).not.toThrow();
    expect(container.ports).toEqual([{ name: 'https', containerPort: port }]);
    const { spec } = find(manifests, 'Service', 'serve');
    expect(template.metadata.labels).toMatchObject(spec.selector);
    expect(spec.ports.map(({ targetPort }: Manifest) => targetPort)).toEqual(['https']);
    for (const path of [tokenFile!, tls!.certificate, tls!.key]) {
      const folders = container.volumeMounts.map(({ mountPath }: Manifest) => mountPath);
      expect(folders).toContain(dirname(path));
    }
  },
);

test.skipIf(kubectlMissing !== '')(`deploy/serve says what is missing${kubectlMissing}`, () => {
  const checks = examineManifests(builds['deploy/serve']!());
  const texts = checks.filter(({ ok }) => !ok).map(({ text }) => text);
  expect(texts).toEqual([
    expect.stringContaining('replace FILL-IN-IMAGE in Deployment serve'),
    expect.stringContaining('replace FILL-IN-DATASET-CLAIM in Deployment serve'),
    expect.stringContaining('replace FILL-IN-RUN in Deployment serve'),
  ]);
});
