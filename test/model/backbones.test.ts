import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Layer } from '../../src/model/architecture.js';
import { backboneDefinitions, describeBackbones } from '../../src/model/backbones.js';
import { describeModel } from '../../src/model/layout.js';
import { backbones, hasWidthFactor } from '../../src/run/training-run.js';

/** By how much a trunk makes a picture's side smaller. */
function reduction(layers: readonly Layer[]): number {
  return layers
    .map((layer) => (layer.kind === 'residual' ? reduction(layer.main) : layer.stride))
    .reduce((product, stride) => product * stride, 1);
}

test.each(backbones)(
  '%s halves the picture five times, as the check of the smallest batch takes for given',
  (backbone) => {
    expect(reduction(backboneDefinitions[backbone].trunk(1).layers)).toBe(32);
  },
);

test.each(backbones)('%s has parameters of different names', (backbone) => {
  const { parameters, batchNorms } = describeModel({ backbone, width: 1, bits: 12, imageSize: 64 });
  const names = [...parameters, ...batchNorms].map(({ name }) => name);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});

test.each(backbones)('the channels of %s follow the width where the run file says so', (backbone) => {
  const sizes = [0.5, 1].map(
    (width) => describeModel({ backbone, width, bits: 12, imageSize: 64 }).parameterCount,
  );
  expect(sizes[0] !== sizes[1]).toBe(hasWidthFactor(backbone));
});

test('docs/run-file.md and the message about foreign weights name every backbone', () => {
  const row = /^\| `model\.backbone` +\|([^|]*)\|/m.exec(readFileSync('docs/run-file.md', 'utf8'))![1]!;
  expect(row.trim()).toBe(`one of ${backbones.join(', ')}`);
  expect(describeBackbones()).toBe(
    "resnet18 or resnet50 in torchvision's names or mobilenet_v1 in Keras's names",
  );
});
