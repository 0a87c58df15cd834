import { describe, expect, test } from 'vitest';
import { find, kubectlMissing, kustomizations, type Manifest } from '../kit/kubernetes/kustomize.js';
import { PublishedSchemas, schemasMissing } from '../kit/kubernetes/schemas.js';
import { builds } from './builds.js';

const complaintsOf = (schemas: PublishedSchemas, manifests: readonly Manifest[]) =>
  manifests.flatMap((manifest) =>
    schemas.complaints(manifest).map((text) => `${manifest.kind} ${manifest.metadata.name}: ${text}`),
  );

test('every component is in a build that is checked', () => {
  const built = Object.keys(builds).join(' ');
  const components = kustomizations('deploy/components', 'Component').map((path) => path.split('/')[2]!);
  // What every overlay of a dataset has in it already.
  const inOverlays = ['values'];
  expect(
    [...new Set(components)].filter((name) => !built.includes(name) && !inOverlays.includes(name)),
  ).toEqual([]);
});

describe.skipIf(kubectlMissing !== '')(`kubectl kustomize${kubectlMissing}`, () => {
  test.each(Object.entries(builds))('builds %s', (_, build) => {
    const manifests = build();
    expect(manifests.length).toBeGreaterThan(0);
    expect(manifests.filter(({ kind, metadata }) => !kind || !metadata.name)).toEqual([]);
  });
});

describe.skipIf(kubectlMissing !== '' || schemasMissing !== '')(
  `the published schemas${kubectlMissing || schemasMissing}`,
  () => {
    const schemas = schemasMissing === '' && kubectlMissing === '' ? new PublishedSchemas() : null!;

    test.each(Object.entries(builds))('accept %s', (_, build) => {
      expect(complaintsOf(schemas, build())).toEqual([]);
    });

    const breaks: readonly (readonly [string, string, string, (manifest: Manifest) => void])[] = [
      [
        'an unknown field',
        'Job',
        '/spec must NOT have additional properties: backofLimit',
        ({ spec }) => {
          spec.backofLimit = 3;
        },
      ],
      [
        'an unknown field deep in the pod',
        'Job',
        'additional properties: readOnlyRootFileSystem',
        ({ spec }) => {
          spec.template.spec.containers[0].securityContext.readOnlyRootFileSystem = true;
        },
      ],
      [
        'a wrong type',
        'Job',
        '/spec/parallelism must be integer',
        ({ spec }) => {
          spec.parallelism = 'two';
        },
      ],
      [
        'a missing field',
        'Job',
        "must have required property 'template'",
        ({ spec }) => {
          delete spec.template;
        },
      ],
      [
        'an unknown kind',
        'Job',
        'there is no kind batch/v1/Jobb',
        (manifest) => {
          (manifest as { kind: string }).kind = 'Jobb';
        },
      ],
      [
        'an unknown field of a JobSet',
        'JobSet',
        'additional properties: maxRestart',
        ({ spec }) => {
          spec.failurePolicy.maxRestart = 1;
        },
      ],
      [
        'an unknown action of a JobSet',
        'JobSet',
        'must be equal to one of the allowed values',
        ({ spec }) => {
          spec.failurePolicy.rules[0].action = 'GiveUp';
        },
      ],
      [
        'an unknown field in a JobSet’s pod',
        'JobSet',
        'additional properties: volumeMount',
        ({ spec }) => {
          spec.replicatedJobs[1].template.spec.template.spec.containers[0].volumeMount = [];
        },
      ],
    ];
    test.each(breaks)('refuse %s', (_, kind, complaint, breakIt) => {
      const job = find(builds['deploy/overlays/cpu-synthetic']!(), 'Job', 'workers');
      const jobSet = find(builds['deploy/overlays/cpu-synthetic + jobset']!(), 'JobSet', 'fcaenet');
      const manifest = structuredClone(kind === 'Job' ? job : jobSet);
      breakIt(manifest);
      expect(complaintsOf(schemas, [manifest]).join('\n')).toContain(complaint);
    });
  },
);
