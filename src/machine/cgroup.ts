import { join } from 'node:path';
import { systemText } from './system-text.js';

/** Limits of the control groups of a process; null for no limit. */
export interface CgroupLimits {
  /** Processor time per time: 1.5 is one and a half processors. */
  readonly processors: number | null;
  readonly memoryBytes: number | null;
}

/** A mounted hierarchy of control groups. */
interface Mount {
  /** The group at the mount point. In a container it is the container's own. */
  readonly root: string;
  readonly point: string;
  readonly isVersion2: boolean;
  /** Version 1: the controllers of the hierarchy. */
  readonly controllers: readonly string[];
}

/**
 * The limits of this process's control groups, version 1 and 2, and of all groups above them. The tightest one counts.
 * @param root of the file system; for tests
 */
export function cgroupLimits(root = '/'): CgroupLimits {
  const mounts = mountsIn(systemText(join(root, 'proc/self/mountinfo')));
  const groups = systemText(join(root, 'proc/self/cgroup')).split('\n').filter(Boolean);
  const processors: (number | null)[] = [];
  const memoryBytes: (number | null)[] = [];
  for (const group of groups) {
    // number:controllers:path; version 2 names no controllers
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(group) ?? [];
    if (controllers === undefined || path === undefined) continue;
    const names = controllers === '' ? [] : controllers.split(',');
    for (const folder of foldersOf(mounts, names, path)) {
      const read = (name: string) => systemText(join(root, folder, name)).trim();
      if (names.length === 0) {
        processors.push(share(...(read('cpu.max').split(' ') as [string, string])));
        memoryBytes.push(bound(read('memory.max')));
      }
      if (names.includes('cpu')) processors.push(share(read('cpu.cfs_quota_us'), read('cpu.cfs_period_us')));
      if (names.includes('memory')) memoryBytes.push(bound(read('memory.limit_in_bytes')));
    }
  }
  return { processors: least(processors), memoryBytes: least(memoryBytes) };
}

function mountsIn(mountinfo: string): Mount[] {
  return mountinfo.split('\n').flatMap((line): Mount[] => {
    // number, parent, device, root, mount point, options, optional fields, "-", type, source, options of the file system
    const [before, after] = line.split(' - ');
    const [, , , root, point] = (before ?? '').split(' ').map(unescaped);
    const [type, , options] = (after ?? '').split(' ');
    if (root === undefined || point === undefined || (type !== 'cgroup' && type !== 'cgroup2')) return [];
    return [{ root, point, isVersion2: type === 'cgroup2', controllers: (options ?? '').split(',') }];
  });
}

/** The folders of a group and of the groups above it, as far as they are mounted. */
function foldersOf(mounts: readonly Mount[], controllers: readonly string[], path: string): string[] {
  const matching = mounts.filter((mount) =>
    controllers.length === 0
      ? mount.isVersion2
      : !mount.isVersion2 && controllers.every((name) => mount.controllers.includes(name)),
  );
  const below = (mount: Mount) => `${path}/`.startsWith(mount.root === '/' ? '/' : `${mount.root}/`);
  const mount = matching.find(below) ?? matching[0];
  if (mount === undefined) return [];
  // A path outside the mount belongs to a group above it. The limits of the mount's own group still count.
  const within = below(mount) ? path.slice(mount.root === '/' ? 0 : mount.root.length) : '';
  const names = within.split('/').filter(Boolean);
  return Array.from({ length: names.length + 1 }, (_, depth) => join(mount.point, ...names.slice(0, depth)));
}

/** A quota of microseconds in a period of microseconds; null for none. */
function share(quota: string, period: string): number | null {
  const [used, of] = [bound(quota), bound(period)];
  return used === null || of === null ? null : used / of;
}

/** A positive number; null for `max`, `-1` and missing values. */
function bound(text: string): number | null {
  return Number(text) > 0 ? Number(text) : null;
}

function least(bounds: readonly (number | null)[]): number | null {
  const known = bounds.filter((each) => each !== null);
  return known.length === 0 ? null : Math.min(...known);
}

/** Mount points encode spaces as octal numbers. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
