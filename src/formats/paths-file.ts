import { extname } from 'node:path';

/** The file with the paths of a file of codes, one in each line: `codes.npy` has `codes.paths.txt`. */
export function pathsFileOf(codesFile: string): string {
  return `${codesFile.slice(0, codesFile.length - extname(codesFile).length)}.paths.txt`;
}
