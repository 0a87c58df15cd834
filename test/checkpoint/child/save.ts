import fileSystem from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { CheckpointStore } from '../../../src/checkpoint/store.js';
import { stateAt } from '../states.js';

/**
 * Saves one checkpoint in a process of its own, which kills itself with SIGKILL at the given operation on the file
 * system (0: never); a write that is killed has written half. Prints the number of operations and the error's code.
 *
 * Usage: node save.js <directory> <step> <operation to die at>
 */

const [directory, step, deadly] = [process.argv[2]!, Number(process.argv[3]), Number(process.argv[4])];
let operations = 0;

function dieIfDue(): void {
  if (++operations === deadly) process.kill(process.pid, 'SIGKILL');
}

type Operation = (...parameters: unknown[]) => Promise<unknown>;

function beforeEachCall(target: Record<string, Operation>, names: readonly string[]): void {
  for (const name of names) {
    const original = target[name]!;
    target[name] = function (this: unknown, ...parameters: unknown[]) {
      dieIfDue();
      return original.apply(this, parameters);
    };
  }
}

const handle = await fileSystem.open('/dev/null');
const fileHandle = Object.getPrototypeOf(handle) as Record<string, Operation>;
await handle.close();
const writeWhole = fileHandle.writeFile!;
fileHandle.writeFile = async function (this: unknown, chunk: unknown) {
  const bytes = chunk as Uint8Array;
  const half = bytes.length >> 1;
  await writeWhole.call(this, bytes.subarray(0, half));
  dieIfDue();
  return writeWhole.call(this, bytes.subarray(half));
};
beforeEachCall(fileHandle, ['sync', 'close']);
beforeEachCall(fileSystem as unknown as Record<string, Operation>, [
  'open',
  'mkdir',
  'rename',
  'rm',
  'readdir',
]);
syncBuiltinESMExports();

const code = await new CheckpointStore(directory, { keep: 1, fence: null })
  .save(stateAt(step), { best: true })
  .then(
    () => 'saved',
    (error) => `${error.code}: ${error.cause.code}`,
  );
console.log(JSON.stringify({ operations, code }));
