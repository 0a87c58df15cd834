import { getHeapStatistics, setFlagsFromString } from 'node:v8';

/**
 * Node's argument for workers. Without it V8 also collects the whole heap where little is allocated for some seconds: for
 * each microbatch of a device that takes seconds for one, on all threads of Node. V8 reads it only when it starts.
 */
export const noIdleCollections = '--no-memory-reducer';

/** Unused memory, mostly outside V8's heap, that may exist before V8 collects garbage. */
const headroomBytes = 256 * 2 ** 20;

/**
 * Makes V8 collect garbage after some hundred megabytes of messages instead of a few. V8 decides by the size of its
 * heap. The heap is small here, and the messages of one step are ten times as large. Without this, V8 collects a dozen
 * times in a step, which costs more processor time than sending the messages. Call it when the long-lived objects are
 * on the heap.
 */
export function collectGarbageLessOften(): void {
  const percent = Math.ceil((100 * headroomBytes) / getHeapStatistics().used_heap_size);
  setFlagsFromString(`--heap-growing-percent=${Math.max(100, percent)}`);
}
