/** Node's variable for the number of threads that decode images and read files; it is read when the process starts. */
const variable = 'UV_THREADPOOL_SIZE';
/** What Node has without it. */
const usualThreads = 4;

/** Threads on which this process decodes images and reads files. */
export function nodeThreads(environment: NodeJS.ProcessEnv = process.env): number {
  const threads = Number(environment[variable]);
  return threads >= 1 ? Math.floor(threads) : usualThreads;
}

/** The environment of a process that decodes on as many processors. */
export function withNodeThreads(processors: number): Record<typeof variable, string> {
  return { [variable]: String(Math.max(usualThreads, processors)) };
}
