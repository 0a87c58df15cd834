import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** Identifies a process among those of all machines and containers. Parts that the system does not tell are null. */
export interface ProcessName {
  readonly pid: number;
  readonly host: string;
  /** Identifies the boot of the kernel. Containers and machines may share a host name. */
  readonly bootId: string | null;
  /** The namespace of the process number: each container has a process 1. Unique among running processes. */
  readonly pidNamespace: string | null;
  /** When the process was started, in clock ticks since boot. */
  readonly processStart: string | null;
}

/** Identifies this process. */
export function ownProcess(): ProcessName {
  return {
    pid: process.pid,
    host: hostname(),
    bootId: toldBy(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    pidNamespace: toldBy(() => readlinkSync('/proc/self/ns/pid')),
    processStart: statusOf(process.pid)?.start ?? null,
  };
}

/** Whether both identify the same process. */
export function isSameProcess(one: ProcessName, other: ProcessName): boolean {
  return one.pid === other.pid && one.processStart === other.processStart && isSamePlace(one, other);
}

/** Whether the process is known to have ended. Only processes of this process's own PID namespace can be checked. */
export function isDead(named: ProcessName): boolean {
  const own = ownProcess();
  if (own.bootId === null || own.pidNamespace === null || !isSamePlace(named, own)) return false;
  try {
    process.kill(named.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
  const status = statusOf(named.pid);
  if (named.processStart === null || status === null) return false;
  // Another process may have the same number now.
  return status.hasEnded || status.start !== named.processStart;
}

function isSamePlace(one: ProcessName, other: ProcessName): boolean {
  return one.host === other.host && one.bootId === other.bootId && one.pidNamespace === other.pidNamespace;
}

function statusOf(pid: number): { readonly start: string; readonly hasEnded: boolean } | null {
  return toldBy(() => {
    // A container may see the /proc of its machine, where the number belongs to another process.
    if (readlinkSync('/proc/self') !== String(process.pid)) return null;
    const status = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Fields 3, 20 and 22. The second field is the name in parentheses, which may contain spaces.
    const fields = status.slice(status.lastIndexOf(')') + 2).split(' ');
    // A zombie keeps its number until its parent asks for its exit code, which some first processes of containers never
    // do. Other threads of it may still end a write.
    return { start: fields[19]!, hasEnded: fields[0] === 'Z' && Number(fields[17]) <= 1 };
  });
}

function toldBy<Value>(read: () => Value): Value | null {
  try {
    return read();
  } catch {
    return null;
  }
}
