import { printable } from '../../errors.js';
import { type ProgramEnding, runBounded } from './bounded-program.js';
import type { GpuDevice } from './device.js';

/** What the driver's program says of the machine's GPUs. */
export type DriverAnswer =
  | { readonly how: 'answered'; readonly devices: readonly ListedDevice[]; readonly note: string | null }
  | { readonly how: 'missing' }
  | { readonly how: 'failed'; readonly reason: string };

/** A device without what is read from /sys. */
export type ListedDevice = Omit<GpuDevice, 'nearProcessors'>;

const fields = [
  'index',
  'uuid',
  'name',
  'memory.total',
  'driver_version',
  'compute_cap',
  'mig.mode.current',
  'pci.bus_id',
] as const;
type Field = (typeof fields)[number];

/**
 * Asks the driver's program, `nvidia-smi`, for the machine's GPUs and their MIG slices.
 * @param options.environment where it is looked for (PATH) and runs
 * @param options.timeoutMs of each call
 */
export async function askDriver(options: {
  readonly environment: NodeJS.ProcessEnv;
  readonly timeoutMs: number;
}): Promise<DriverAnswer> {
  const ask = (args: readonly string[]) => runBounded('nvidia-smi', args, options);
  const { ending, asked } = await queryKnownFields(ask);
  if (ending.how === 'missing') return { how: 'missing' };
  if (ending.how === 'hung') return { how: 'failed', reason: hungAfter(options.timeoutMs) };
  const { devices, others } = devicesOf(ending.output, asked);
  if (ending.exitCode !== 0 && devices.length === 0) {
    return { how: 'failed', reason: `nvidia-smi failed: ${said(ending.output, ending.exitCode)}` };
  }
  const note = others.length === 0 ? null : `nvidia-smi says ${said(others[0]!, null)}`;
  if (!devices.some(({ isSliced }) => isSliced))
    return { how: 'answered', devices: devices.map(whole), note };
  const list = await ask(['-L']);
  if (list.how !== 'ended' || list.exitCode !== 0) {
    const reason = list.how === 'hung' ? hungAfter(options.timeoutMs) : 'nvidia-smi -L failed';
    return { how: 'failed', reason };
  }
  return withSlices(devices, list.output, note);
}

/** Older drivers refuse a query for a field that they do not know, and name it. */
async function queryKnownFields(
  ask: (args: readonly string[]) => Promise<ProgramEnding>,
): Promise<{ readonly ending: ProgramEnding; readonly asked: readonly Field[] }> {
  let asked: readonly Field[] = fields;
  for (;;) {
    const ending = await ask([`--query-gpu=${asked.join(',')}`, '--format=csv,noheader,nounits']);
    const unknown =
      ending.how === 'ended' && ending.exitCode !== 0
        ? /Field "([\w.]+)" is not a valid field/.exec(ending.output)?.[1]
        : undefined;
    const known = asked.filter((field) => field !== unknown);
    if (known.length === asked.length) return { ending, asked };
    asked = known;
  }
}

interface QueriedDevice extends ListedDevice {
  /** Whether MIG is on, so that only its slices can compute. */
  readonly isSliced: boolean;
}

/** The devices of the answer, and its other lines, such as those about a GPU that is lost. */
function devicesOf(output: string, asked: readonly Field[]): { devices: QueriedDevice[]; others: string[] } {
  const devices: QueriedDevice[] = [];
  const others: string[] = [];
  for (const line of output.split('\n').filter((each) => each.trim() !== '')) {
    const device = deviceOf(line, asked);
    if (device === null) others.push(line);
    else devices.push(device);
  }
  return { devices, others };
}

function deviceOf(line: string, asked: readonly Field[]): QueriedDevice | null {
  const parts = line.split(',').map((part) => part.trim());
  // The name may hold commas.
  const extra = parts.length - asked.length;
  const namePlace = asked.indexOf('name');
  if (extra < 0) return null;
  const name = parts.slice(namePlace, namePlace + extra + 1).join(', ');
  const values = [...parts.slice(0, namePlace), name, ...parts.slice(namePlace + extra + 1)];
  const valueFor = (field: Field): string | null => {
    const value = values[asked.indexOf(field)] ?? '';
    // [N/A], [Not Supported], [Unknown Error]
    return value === '' || value.startsWith('[') || value === 'N/A' ? null : printable(value);
  };
  const index = valueFor('index');
  if (index === null || !/^\d+$/.test(index)) return null;
  const mebibytes = Number(valueFor('memory.total') ?? Number.NaN);
  return {
    index: Number(index),
    uuid: valueFor('uuid'),
    name: valueFor('name') ?? 'unknown GPU',
    slice: null,
    memoryBytes: mebibytes > 0 ? mebibytes * 2 ** 20 : null,
    driverVersion: valueFor('driver_version'),
    computeCapability: valueFor('compute_cap'),
    busId: pciFolder(valueFor('pci.bus_id')),
    isSliced: valueFor('mig.mode.current') === 'Enabled',
  };
}

/** `00000000:07:00.0` as /sys has it: `0000:07:00.0`, in lower case. */
function pciFolder(busId: string | null): string | null {
  const [, domain, place] = /^([0-9a-f]+):([0-9a-f]{2}:[0-9a-f]{2}\.[0-7])$/i.exec(busId ?? '') ?? [];
  if (domain === undefined || place === undefined) return null;
  return `${domain.replace(/^0+/, '').padStart(4, '0')}:${place}`.toLowerCase();
}

/** Puts the slices in the place of each GPU that is sliced. */
function withSlices(devices: readonly QueriedDevice[], list: string, note: string | null): DriverAnswer {
  const slices = new Map<number, { profile: string; uuid: string }[]>();
  let current: { profile: string; uuid: string }[] = [];
  for (const line of list.split('\n')) {
    const [, index] = /^GPU (\d+):/.exec(line) ?? [];
    if (index !== undefined) {
      current = [];
      slices.set(Number(index), current);
    }
    const [, profile, uuid] = /^\s+MIG\s+(\S+)\s+Device\s+\d+:\s+\(UUID:\s+(MIG-[^\s)]+)\)/.exec(line) ?? [];
    if (profile !== undefined && uuid !== undefined) current.push({ profile, uuid });
  }
  const empty = devices.filter((device) => device.isSliced && !slices.get(device.index)?.length);
  const notes = [note, ...empty.map(({ index }) => `GPU ${index} is in MIG mode and has no slices`)];
  return {
    how: 'answered',
    devices: devices.flatMap((device) =>
      device.isSliced
        ? (slices.get(device.index) ?? []).map(({ profile, uuid }) => ({
            ...whole(device),
            uuid,
            slice: profile,
            memoryBytes: memoryOfProfile(profile),
          }))
        : [whole(device)],
    ),
    note: notes.filter((each) => each !== null).join('; ') || null,
  };
}

/** `1g.10gb` has a little more than ten decimal gigabytes. */
function memoryOfProfile(profile: string): number | null {
  const [, gigabytes] = /\.(\d+)gb/.exec(profile) ?? [];
  return gigabytes === undefined ? null : Number(gigabytes) * 1e9;
}

function whole({ isSliced: _, ...device }: QueriedDevice): ListedDevice {
  return device;
}

function hungAfter(timeoutMs: number): string {
  return `nvidia-smi did not answer within ${timeoutMs / 1000} s, so the driver may hang`;
}

function said(output: string, exitCode: number | null): string {
  const line = output.split('\n').find((each) => each.trim() !== '');
  if (line === undefined) return exitCode === null ? 'a signal ended it' : `exit code ${exitCode}`;
  return `"${printable(line.trim().slice(0, 300))}"`;
}
