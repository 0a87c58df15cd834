// A Python that a benchmark compares with.
import { execFileSync } from 'node:child_process';
import { OptionError } from './options.mjs';

/**
 * Checks that a Python has what a benchmark needs.
 * @param {string} python
 * @param {string} needed the names of the packages, for the sentence
 * @param {string} modules to import
 */
export function requirePython(python, needed, modules) {
  try {
    execFileSync(python, ['-c', `import ${modules}`], { stdio: 'ignore' });
  } catch {
    throw new OptionError(
      `this benchmark needs ${needed}, but ${python} cannot import ${modules}: name another Python in PYTHON.`,
    );
  }
}
