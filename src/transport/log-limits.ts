/** Letters of a worker's log line, and of its fields as JSON: a worker sends no more, a coordinator takes no more. */
export const mostMessageLetters = 1_000;
export const mostFieldsLetters = 4_000;
/** Lines that a worker sends, and a coordinator writes, in the long run. */
export const logLinesPerSecond = 10;
