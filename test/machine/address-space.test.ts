import { expect, test } from 'vitest';
import { addressSpaceError, requireAddressSpace } from '../../src/machine/address-space.js';
import { failure } from '../kit/failure.js';

const gibibyte = 2 ** 30;

test('too low a limit of the address space is named with what is needed and how to raise it', () => {
  requireAddressSpace(2 * gibibyte, 'the program', 2 * gibibyte);
  requireAddressSpace(2 * gibibyte, 'the program', Number.POSITIVE_INFINITY);
  expect(() => requireAddressSpace(44 * gibibyte, 'a coordinator', 1.5 * gibibyte)).toThrow(
    failure(
      'MACHINE_ADDRESS_SPACE',
      'a coordinator needs 44 GiB of address space, which takes no memory, but this process may use 1.5 GiB; `ulimit -v unlimited` allows more',
    ),
  );
});

test('an allocation that fails under a limit is told as that limit', () => {
  const shortage = new RangeError('WebAssembly.Instance(): Out of memory: Cannot allocate Wasm memory');
  expect(addressSpaceError(shortage, 8 * gibibyte)).toEqual(
    failure(
      'MACHINE_ADDRESS_SPACE',
      'this process may use 8 GiB of address space, which is not enough, but a coordinator needs 54 GiB and a worker 44 GiB; `ulimit -v unlimited` allows more',
    ),
  );
  expect(addressSpaceError(shortage, Number.POSITIVE_INFINITY)).toBeNull();
  expect(addressSpaceError(new Error('something else'), 8 * gibibyte)).toBeNull();
});
