import { expect, test } from 'vitest';
import { requireOpenFiles } from '../../src/machine/open-files.js';
import { failure } from '../kit/failure.js';

test('too low a limit of open files is named with what is needed and how to raise it', () => {
  requireOpenFiles(256, 'the program', 256);
  requireOpenFiles(256, 'the program', Number.POSITIVE_INFINITY);
  const error = failure(
    'MACHINE_OPEN_FILES',
    'a run needs 2304 open files at the same time, but this process may open 1024; `ulimit -n 4096` allows more',
  );
  expect(() => requireOpenFiles(2304, 'a run', 1024)).toThrow(error);
});
