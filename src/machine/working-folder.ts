import { MachineError } from './error.js';

/**
 * Checks that the folder in which this process was started is there: paths of options and of run files begin there.
 * @throws MachineError MACHINE_WORKING_FOLDER
 */
export function requireWorkingFolder(cwd: () => string = process.cwd): void {
  try {
    cwd();
  } catch (cause) {
    throw new MachineError(
      'MACHINE_WORKING_FOLDER',
      `the working folder cannot be read (${(cause as NodeJS.ErrnoException).code}): it was removed or moved; change to a folder that exists`,
    );
  }
}
