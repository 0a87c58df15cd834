import { expect, test } from 'vitest';
import { deviceModelFault, identityDifferences, identityFrom } from '../../src/identity/identity.js';
import { identity } from '../kit/scripted-worker.js';

const a100 = { deviceModel: 'NVIDIA A100-SXM4-80GB', computeCapability: '8.0', driverVersion: '550.54.15' };
const noGpu = { deviceModel: '', computeCapability: '', driverVersion: '' };

test('the identity of a worker on processors has no fields of a GPU, as checkpoints without them', () => {
  const received = identityFrom({ ...identity, ...noGpu });
  expect(JSON.stringify(received)).toBe(JSON.stringify(identity));
  expect(identityDifferences(identity, received)).toEqual([]);
});

test('other fields that are empty belong to the identity', () => {
  expect(identityFrom({ ...identity, buildHash: '' })).toHaveProperty('buildHash', '');
});

test.each([
  ['deviceModel', 'NVIDIA A100-SXM4-80GB MIG 3g.40gb', 'NVIDIA A100-SXM4-80GB'],
  ['computeCapability', '9.0', '8.0'],
  ['driverVersion', '535.104.05', '550.54.15'],
])('another %s is a difference that names both', (field, there, here) => {
  const run = identityFrom({ ...identity, ...a100 });
  const worker = identityFrom({ ...identity, ...a100, [field]: there });
  expect(identityDifferences(run, worker)).toEqual([`${field} is ${there}, expected ${here}`]);
});

test('a GPU and a processor differ, whichever came first', () => {
  const [onGpu, onProcessor] = [identityFrom({ ...identity, ...a100 }), identityFrom(identity)];
  expect(identityDifferences(onGpu, onProcessor)).toContain(
    'deviceModel is none, expected NVIDIA A100-SXM4-80GB',
  );
  expect(identityDifferences(onProcessor, onGpu)).toContain(
    'deviceModel is NVIDIA A100-SXM4-80GB, expected none',
  );
});

test.each([
  [null, true],
  [['A100'], true],
  [['h100', 'nvidia a100-sxm4-80gb'], true],
  [['H100'], false],
])('deviceModels %j takes an A100: %s', (models, isTaken) => {
  expect(deviceModelFault(identityFrom({ ...identity, ...a100 }), models) === null).toBe(isTaken);
});
