import { readFileSync } from 'node:fs';

/** The content of a file of the system, such as those in /proc and /sys; empty where it cannot be read. */
export function systemText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** A limit of this process by its name in /proc/self/limits; infinity when there is none or the system does not say. */
export function softLimit(name: string): number {
  const soft = new RegExp(`^${name} +(\\d+)`, 'm').exec(systemText('/proc/self/limits'))?.[1];
  return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
}
