import { getHeapStatistics, setFlagsFromString } from 'node:v8';

/** Memory that waits to be found unused, outside V8's heap for the most part. */
const headroomBytes = 256 * 2 ** 20;

/**
 * Has V8 collect garbage after some hundred megabytes of messages instead of a few. It decides by the size of its heap,
 * which is small here, and the messages of one step are ten times as large: it would collect a dozen times in a step,
 * for more of the processors' time than sending them takes. To be called when what stays in the heap is there.
 */
export function leaveRoomForMessages(): void {
  const percent = Math.ceil((100 * headroomBytes) / getHeapStatistics().used_heap_size);
  setFlagsFromString(`--heap-growing-percent=${Math.max(100, percent)}`);
}
