import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Finding } from '../../src/commands/doctor-action.js';
import type { DevicesFinding } from '../../src/commands/doctor-devices.js';
import { FakeMachine, fakeUuid } from '../kit/fake-machine.js';

const hasTfjsNode = ['tfjs-node', 'tfjs-node-gpu'].some((name) =>
  existsSync(`node_modules/@tensorflow/${name}`),
);

test('doctor measures the engines of this machine, lists the GPUs that its driver has, and fails when the engine of the run file cannot run', () => {
  const machine = new FakeMachine({ gpus: [{}] });
  const wanted = ['examples/quick.yaml', '--set', 'spec.engine.name=tensorflow'];
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['dist/cli.js', 'doctor', ...wanted, '--json'],
    { encoding: 'utf8', env: machine.environment },
  );
  machine.remove();
  const failure =
    /^\{.*"code":"ENGINE_UNAVAILABLE".*"message":"engine tensorflow cannot run because neither .*\n$/;
  expect([status, stderr]).toEqual(hasTfjsNode ? [0, ''] : [69, expect.stringMatching(failure)]);
  const { engines, devices } = JSON.parse(stdout) as { engines: Finding[]; devices: DevicesFinding };
  expect(devices).toMatchObject({
    devices: [{ index: 0, uuid: fakeUuid(0), driverVersion: '550.54.15', computeCapability: '8.0' }],
    note: null,
    obstacles: [null],
  });
  expect(devices.choice).toMatch(/^engine (onednn|tensorflow) on /);
  expect(engines.map(({ engine }) => engine)).toEqual(['onednn', 'tensorflow', 'webgpu']);
  for (const finding of engines) {
    if (finding.runs) {
      expect(finding.trainedImagesPerSecond).toBeGreaterThan(0);
      expect(finding.description.name).toBe(finding.engine);
      const share = finding.outsideGraphs;
      if (finding.engine !== 'tensorflow') expect(share).toBeNull();
      else expect(share! > 0 && share! < 1).toBe(true);
    } else {
      expect(finding.reason).toMatch(/^engine \w+ cannot run because .*: (run|install) /);
    }
  }
});
