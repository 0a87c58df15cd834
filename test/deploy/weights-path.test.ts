import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readTrainingRun } from '../../src/run/read.js';
import { find, kubectlMissing } from '../kit/kubernetes/kustomize.js';
import { builds } from './builds.js';

/** Where the paper's run files look for pretrained weights. */
const wanted = 'weights/resnet50.safetensors';
const pages = [
  'README.md',
  'docs/weights.md',
  'docs/kubernetes.md',
  'deploy/overlays/vegfru-48bit/README.md',
  'deploy/overlays/nabirds-48bit/README.md',
];
const lineOf = (page: string, pattern: RegExp) => {
  const found = pattern.exec(readFileSync(page, 'utf8'));
  if (!found) throw new Error(`${page} has no line like ${pattern}`);
  return found.slice(1);
};

test('all run files of examples/ with a ResNet-50 look for its weights in one place', () => {
  const models = readdirSync('examples')
    .map((name) => readTrainingRun(join('examples', name), []).spec.model)
    .filter(({ backbone }) => backbone === 'resnet50');
  expect(models).toHaveLength(20);
  expect(new Set(models.map(({ weights }) => weights))).toEqual(new Set([wanted]));
});

test.each(pages)('the commands of %s put them there', (page) => {
  const [fetched] = lineOf(page, /^npx fcaenet weights fetch resnet50-imagenet1k-v1 --output (\S+)$/m);
  const [source, output] = lineOf(page, /^npx fcaenet weights convert (\S+) (\S+)$/m);
  expect({ source, output }).toEqual({ source: fetched, output: wanted });
});

describe.skipIf(kubectlMissing !== '')(`pods look where the commands copied them to${kubectlMissing}`, () => {
  /** What `kubectl cp` writes in the pod that fills the volume, which mounts it where the run's pods do. */
  const copied = (page: string) => lineOf(page, /cp (\S+) copy:(\/data\/\S+\.safetensors)$/m);

  test.each(['vegfru-48bit', 'nabirds-48bit'])('%s', (name) => {
    const page = `deploy/overlays/${name}/README.md`;
    const [value] = lineOf(page, /^\| weights +\| .*as a path: `(\S+)` +\|$/m);
    const { args, volumeMounts } = find(builds[`deploy/overlays/${name}`]!(), 'Job', 'coordinator').spec
      .template.spec.containers[0];
    expect(volumeMounts).toContainEqual({ name: 'dataset', mountPath: '/data', readOnly: true });
    const prefix = '--set=spec.model.weights=';
    const path = args.find((word: string) => word.startsWith(prefix)).slice(prefix.length);
    expect(copied(page)).toEqual([wanted, path.replace('$(WEIGHTS)', value)]);
  });

  test('the TrainJob', () => {
    const { data } = find(builds['deploy/kubeflow/train-job']!(), 'ConfigMap', 'run');
    expect(copied('docs/kubernetes.md')).toEqual([wanted, parse(data['run.yaml']).spec.model.weights]);
  });
});
