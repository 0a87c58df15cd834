import { isUtf8 } from 'node:buffer';

/** Bytes at the start that show whether a file is UTF-16. */
const examinedBytes = 4096;

/** The encoding of a text that is not UTF-8, for "the file is … but must be UTF-8"; undefined for UTF-8. */
export function otherEncoding(bytes: Buffer): string | undefined {
  if (isUtf16(bytes)) return 'UTF-16';
  return isUtf8(bytes) ? undefined : 'in another encoding, perhaps Latin-1,';
}

/** Whether a text begins with UTF-16's byte order mark, or every other byte is mostly zero, as in its ASCII letters. */
function isUtf16(bytes: Buffer): boolean {
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) return true;
  const zeros = [0, 0];
  const start = bytes.subarray(0, examinedBytes);
  for (const [at, byte] of start.entries()) if (byte === 0) zeros[at % 2]!++;
  const [fewer, more] = zeros.sort((a, b) => a - b) as [number, number];
  return fewer === 0 && more > 0 && more >= start.length / 4;
}
