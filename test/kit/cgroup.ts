import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A real control group, of whichever version the machine has, and one below it without limits of its own. */
export class LimitedGroup {
  /** A command that runs the rest of its arguments in the lower group. */
  readonly within: readonly string[];
  private readonly folders: string[];

  constructor({ processors, memoryBytes }: { processors: number; memoryBytes: number }) {
    const all = '/sys/fs/cgroup';
    const name = `fcaenet-test-${process.pid}-${Math.random().toString(36).slice(2)}`;
    const isVersion2 = existsSync(join(all, 'cgroup.controllers'));
    if (isVersion2) writeFileSync(join(all, 'cgroup.subtree_control'), '+cpu +memory');
    const upper = isVersion2 ? [join(all, name)] : ['cpu', 'memory'].map((each) => join(all, each, name));
    this.folders = upper.flatMap((folder) => [join(folder, 'below'), folder]);
    for (const folder of this.folders) mkdirSync(folder, { recursive: true });
    const quota = String(processors * 100_000);
    if (isVersion2) {
      writeFileSync(join(upper[0]!, 'cpu.max'), `${quota} 100000`);
      writeFileSync(join(upper[0]!, 'memory.max'), String(memoryBytes));
    } else {
      writeFileSync(join(upper[0]!, 'cpu.cfs_quota_us'), quota);
      writeFileSync(join(upper[1]!, 'memory.limit_in_bytes'), String(memoryBytes));
    }
    const enter = upper.map((folder) => `echo $$ > '${folder}/below/cgroup.procs'; `).join('');
    this.within = ['sh', '-ec', `${enter}exec "$@"`, 'sh'];
  }

  /** To be called when its processes have ended. */
  remove(): void {
    for (const folder of this.folders.filter((each) => existsSync(each))) rmdirSync(folder);
  }
}

/** Why this machine gives us no control groups to limit; empty where it does. For the title of a skipped test. */
export const cgroupsMissing = whyNone();

function whyNone(): string {
  try {
    new LimitedGroup({ processors: 1, memoryBytes: 2 ** 30 }).remove();
    return '';
  } catch {
    return ' (skipped: needs root and control groups that can be written)';
  }
}
