/** Begins the name of a checkpoint that another of the same name is about to replace; it counts while that one is missing. */
export const replacedPrefix = '.replaced-';
const namePattern = /^term-(\d{6,})-step-(\d{10,})$/;

/** The parts of a checkpoint's name. */
export interface CheckpointName {
  readonly name: string;
  readonly term: number;
  readonly globalStep: number;
}

/** The checkpoint of an entry in a checkpoints folder; null for other entries. */
export function checkpointOf(entry: string): CheckpointName | null {
  const name = entry.startsWith(replacedPrefix) ? entry.slice(replacedPrefix.length) : entry;
  const match = namePattern.exec(name);
  return match && { name, term: Number(match[1]), globalStep: Number(match[2]) };
}
