import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** One process among those of all machines, and of all containers of one. What the system does not tell is null. */
export interface ProcessName {
  readonly pid: number;
  readonly host: string;
  /** Of the kernel since it was started: containers may share a host name, and so may machines. */
  readonly bootId: string | null;
  /** Where the process number counts: process 1 is another one in each container. Unique among those that live. */
  readonly pidNamespace: string | null;
  /** When the process was started, in clock ticks since boot. */
  readonly processStart: string | null;
}

/** What tells this process from every other one. */
export function ownProcess(): ProcessName {
  return {
    pid: process.pid,
    host: hostname(),
    bootId: toldBy(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    pidNamespace: toldBy(() => readlinkSync('/proc/self/ns/pid')),
    processStart: processStart(process.pid),
  };
}

/** Whether both names are of one process. */
export function isSameProcess(one: ProcessName, other: ProcessName): boolean {
  return one.pid === other.pid && one.processStart === other.processStart && isSamePlace(one, other);
}

/**
 * Whether the process is known to have ended. Only those of this process's own PID namespace can be looked for: of
 * others nothing is known.
 */
export function isDead(named: ProcessName): boolean {
  const own = ownProcess();
  if (own.bootId === null || own.pidNamespace === null || !isSamePlace(named, own)) return false;
  try {
    process.kill(named.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
  // The same number may be another process by now.
  const start = processStart(named.pid);
  return named.processStart !== null && start !== null && start !== named.processStart;
}

function isSamePlace(one: ProcessName, other: ProcessName): boolean {
  return one.host === other.host && one.bootId === other.bootId && one.pidNamespace === other.pidNamespace;
}

function processStart(pid: number): string | null {
  return toldBy(() => {
    // A container may see the /proc of its machine, where the number is another process.
    if (readlinkSync('/proc/self') !== String(process.pid)) return null;
    const status = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Field 22; the second field is the name in parentheses and may hold blanks.
    return status.slice(status.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  });
}

function toldBy<Value>(read: () => Value): Value | null {
  try {
    return read();
  } catch {
    return null;
  }
}
