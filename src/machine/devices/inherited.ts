import type { FoundDevices } from './device.js';

/** Environment variable by which a process tells a child which device is its own, as JSON. */
const devicesVariable = 'FCAENET_DEVICES';

/** What the parent of this process found and gave it; null where no parent did. */
export function inheritedDevices(environment: NodeJS.ProcessEnv): FoundDevices | null {
  const text = environment[devicesVariable];
  return text ? (JSON.parse(text) as FoundDevices) : null;
}

/** The environment of a child that is to use these devices and no others. */
export function inheriting(found: FoundDevices): Record<typeof devicesVariable, string> {
  return { [devicesVariable]: JSON.stringify(found) };
}
