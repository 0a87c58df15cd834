import { MachineError } from './error.js';
import { softLimit } from './system-text.js';

const gibibyte = 2 ** 30;
/**
 * Address space, in bytes, that V8 reserves for each WebAssembly memory, however small that is: addresses behind its
 * end are never valid, so that no access has to be checked. Reserved addresses take no memory.
 */
const perWebAssemblyMemory = 10 * gibibyte;
/** What Node and the libraries that are loaded later use, as measured: below 2.3 GiB in a worker. */
const ownAddressSpace = 4 * gibibyte;

/** For Node and the libraries of every command. */
export const startingAddressSpace = 2 * gibibyte;
/** A worker has up to four kernels in WebAssembly: sums of gradients, also in the exchange, and bfloat16 both ways. */
export const workerAddressSpace = ownAddressSpace + 4 * perWebAssemblyMemory;
/** A coordinator has up to five: the sums, SGD, bfloat16, the V-step and the ranking. */
export const coordinatorAddressSpace = ownAddressSpace + 5 * perWebAssemblyMemory;

/**
 * Checks in advance whether this process may reserve enough address space.
 * @param needed bytes
 * @param who needs them, for the message
 * @throws MachineError MACHINE_ADDRESS_SPACE
 */
export function requireAddressSpace(needed: number, who: string, limit: number = addressSpaceLimit()): void {
  if (limit >= needed) return;
  throw new MachineError(
    'MACHINE_ADDRESS_SPACE',
    `${who} needs ${inGib(needed)} GiB of address space, which takes no memory, but this process may use ${inGib(limit)} GiB; \`ulimit -v unlimited\` allows more`,
  );
}

/**
 * Of an error that has no room to allocate or to load a library, the one that names the limit of the address space;
 * null when there is no limit, or the error is another one.
 */
export function addressSpaceError(error: unknown, limit: number = addressSpaceLimit()): MachineError | null {
  const isShortage =
    error instanceof Error &&
    /WebAssembly\.\w+\(\): Out of memory|Could not load the "sharp" module|failed to map segment/.test(
      error.message,
    );
  if (!isShortage || limit === Number.POSITIVE_INFINITY) return null;
  return new MachineError(
    'MACHINE_ADDRESS_SPACE',
    `this process may use ${inGib(limit)} GiB of address space, which is not enough, but a coordinator needs ${inGib(coordinatorAddressSpace)} GiB and a worker ${inGib(workerAddressSpace)} GiB; \`ulimit -v unlimited\` allows more`,
  );
}

/** Bytes of address space that this process may use; infinity when there is no limit or the system does not say. */
function addressSpaceLimit(): number {
  return softLimit('Max address space');
}

function inGib(bytes: number): string {
  return String(Math.floor((10 * bytes) / gibibyte) / 10);
}
