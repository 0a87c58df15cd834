import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { formatProcessorList } from '../machine/devices/processor-list.js';

/** How `fork` starts a Node that runs on some processors only. */
export interface NodeStart {
  readonly execPath: string;
  readonly execArgv: string[];
}

/**
 * A Node that is bound to processors by util-linux's `taskset`, which becomes the Node itself: its threads inherit the
 * binding, and its process id is the one that `fork` knows.
 * @param processors null does not bind
 */
export function boundNode(processors: readonly number[] | null, args: readonly string[]): NodeStart {
  if (processors === null) return { execPath: process.execPath, execArgv: [...args] };
  return {
    execPath: 'taskset',
    execArgv: ['-c', formatProcessorList(processors), process.execPath, ...args],
  };
}

/** Whether processes can be bound here. */
export function canBind(environment: NodeJS.ProcessEnv = process.env): boolean {
  if (process.platform !== 'linux') return false;
  return (environment.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, 'taskset'), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
