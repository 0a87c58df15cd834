/** Prefix of a checkpoint that another of the same name is about to replace. It counts while that one is missing. */
export const REPLACED = '.replaced-';
const NAME = /^term-(\d{6,})-step-(\d{10,})$/;

/** The parts of a checkpoint's name. */
export interface CheckpointName {
  readonly name: string;
  readonly term: number;
  readonly globalStep: number;
}

/** The checkpoint of an entry in a checkpoints folder; null for other entries. */
export function checkpointOf(entry: string): CheckpointName | null {
  const name = entry.startsWith(REPLACED) ? entry.slice(REPLACED.length) : entry;
  const match = NAME.exec(name);
  return match && { name, term: Number(match[1]), globalStep: Number(match[2]) };
}
