import { join } from 'node:path';
import { systemText } from '../system-text.js';
import { parseProcessorList } from './processor-list.js';

/**
 * Shares processors out among processes: each gets as many as the others of the same place, or one that several use
 * where there are fewer processors than processes.
 * @param allowed numbers of the processors that may be used, those of one core beside each other; not empty
 * @param near for each process, the processors near its device; null where nothing is known
 * @returns for each process its processors, at least one
 */
export function shareProcessors(
  allowed: readonly number[],
  near: readonly (readonly number[] | null)[],
): readonly (readonly number[])[] {
  const known = near.map((processors) => {
    const usable = allowed.filter((processor) => processors?.includes(processor));
    return usable.length > 0 ? usable : null;
  });
  const taken = new Set(known.flatMap((processors) => processors ?? []));
  const others = allowed.filter((processor) => !taken.has(processor));
  const places = known.map((processors) => processors ?? (others.length > 0 ? others : allowed));
  const keys = places.map((processors) => processors.join());
  return places.map((processors, process) => {
    const sharing = keys.filter((key) => key === keys[process]).length;
    const rank = keys.slice(0, process).filter((key) => key === keys[process]).length;
    return slice(processors, rank, sharing);
  });
}

/** Part `rank` of `parts` parts of a list, of equal length as far as it goes; never empty. */
function slice(list: readonly number[], rank: number, parts: number): readonly number[] {
  const first = Math.floor((rank * list.length) / parts);
  return list.slice(first, Math.max(first + 1, Math.floor(((rank + 1) * list.length) / parts)));
}

/**
 * Numbers of the processors that this process may run on (affinity, cpusets), those of one core beside each other.
 * @param root of the file system; for tests
 * @returns null where the system does not say
 */
export function allowedProcessors(root = '/'): readonly number[] | null {
  const status = systemText(join(root, 'proc/self/status'));
  const allowed = parseProcessorList(/^Cpus_allowed_list:\s*(.*)$/m.exec(status)?.[1] ?? '');
  if (allowed === null || allowed.length === 0) return null;
  const coreOf = new Map(
    allowed.map((processor) => {
      const file = join(root, `sys/devices/system/cpu/cpu${processor}/topology/thread_siblings_list`);
      return [processor, parseProcessorList(systemText(file))?.[0] ?? processor];
    }),
  );
  return [...allowed].sort((left, right) => coreOf.get(left)! - coreOf.get(right)! || left - right);
}
