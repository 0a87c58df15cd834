import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { encodeSafetensors } from '../../src/checkpoint/safetensors.js';
import { KeyedRandom } from '../../src/data/random.js';
import { initialWeights } from '../../src/model/initial.js';
import { describeModel } from '../../src/model/layout.js';
import { runCommandLine } from '../kit/command-line.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
beforeAll(async () => {
  small = await smallRun();
});
afterAll(() => small.remove());

const short = ['spec.schedule.iterations=1', 'spec.schedule.epochs=1', 'spec.operation.metrics=off'];

/** `npm start -- --data data` with a shorter schedule; what it said, and the run file of its run. */
async function start(name: string) {
  const flags = short.flatMap((setting) => ['--set', setting]);
  const { exitCode, stderr, lines } = await runCommandLine(
    ['start', '--data', 'data', '--workers', '1', ...flags],
    { cwd: small.folder },
  );
  expect([exitCode, stderr]).toEqual([0, '']);
  const run = parse(readFileSync(join(small.folder, 'runs', name, 'run.yaml'), 'utf8'));
  return { lines, run };
}

const weightsFile = 'weights/mobilenet_v1-0.25.safetensors';
const noWeights =
  'no pretrained weights: codes trained only on these photographs are hardly better than untrained features';

test('start on a folder says how to get pretrained weights, and takes them when they are there', async () => {
  const without = await start('quick-data');
  expect(without.run.spec.model).toMatchObject({ imageSize: 128, weights: null });
  expect(without.lines).toContainEqual(
    expect.objectContaining({
      level: 'warn',
      message: noWeights,
      remedy: `npx fcaenet weights fetch mobilenet_v1-0.25-imagenet1k --output ${weightsFile}`,
    }),
  );
  // Four passes over 12 test and 32 training pictures, counted together.
  const passes = without.lines.filter(({ task }) => task === 'untrained features');
  expect(passes.map(({ total }) => total)).toEqual(passes.map(() => 88));
  expect(passes.filter(({ done }) => done === 88)).toHaveLength(1);

  const layout = describeModel({ backbone: 'mobilenet_v1', width: 0.25, bits: 24, imageSize: 128 });
  const { parameters, mean, variance } = initialWeights(layout, new KeyedRandom(7));
  const tensors = [
    ...layout.parameters
      .slice(0, -2)
      .map(({ name, shape, offset, size }) => [
        name,
        { shape: [...shape], data: parameters.slice(offset, offset + size) },
      ]),
    ...layout.batchNorms.flatMap(({ meanName, varianceName, offset, channels }) => [
      [meanName, { shape: [channels], data: mean.slice(offset, offset + channels) }],
      [varianceName, { shape: [channels], data: variance.slice(offset, offset + channels) }],
    ]),
  ];
  mkdirSync(join(small.folder, 'weights'));
  writeFileSync(
    join(small.folder, weightsFile),
    Buffer.concat(encodeSafetensors(Object.fromEntries(tensors), {})),
  );
  const pretrained = await start('quick-data-pretrained');
  expect(pretrained.run.spec.model).toMatchObject({ imageSize: 128, weights: weightsFile });
  expect(pretrained.lines.map(({ message }) => message)).not.toContain(noWeights);
  expect(pretrained.lines).toContainEqual(
    expect.objectContaining({ message: 'backbone weights', path: weightsFile }),
  );
}, 600_000);
