/**
 * Exit codes of this project's processes. 75 asks the caller to run the command again. After 73, what is in use or full
 * may be free later. The others of 64–78 (the meanings of sysexits.h) say that running it again with the same input
 * cannot help.
 */
export const ExitCode = {
  finished: 0,
  failed: 1,
  usage: 64,
  badData: 65,
  missingInput: 66,
  unavailable: 69,
  cannotCreate: 73,
  inputOutput: 74,
  interrupted: 75,
  protocol: 76,
  badConfiguration: 78,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** Whether an exit code says that running again with the same input cannot help. */
export function isPermanent(exitCode: number | null): boolean {
  const passing: readonly number[] = [ExitCode.interrupted, ExitCode.cannotCreate];
  return exitCode !== null && exitCode >= 64 && exitCode <= 78 && !passing.includes(exitCode);
}

/**
 * Base of every error that a user can meet. The message is one sentence that names the value and what was expected,
 * without a full stop, which the program adds where it prints the message.
 * `code` is stable and machine-readable (`AREA_WHAT`). The cause stays attached and is never sent to a peer.
 */
export class FcaenetError extends Error {
  override readonly name: string = 'FcaenetError';

  constructor(
    readonly code: string,
    message: string,
    readonly exitCode: ExitCode,
    options?: { cause?: unknown },
  ) {
    super(printable(message), options);
  }
}

/** What a terminal would obey or hide instead of showing: controls, invisible formatting, separators, half letters. */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const shortEscapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** The text in one line, with unprintable characters escaped. */
export function printable(text: string): string {
  return text.replace(unprintable, (letter) => {
    const code = letter.codePointAt(0)!.toString(16);
    return shortEscapes[letter] ?? (code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, '0')}`);
  });
}

/**
 * The start of a text from outside, for a message: quoted, escaped and cut.
 * @param most characters shown; an ellipsis after the quotes marks a cut
 */
export function quote(text: string, most = 80): string {
  const [shown, rest] = cut(text, most);
  return `"${printable(shown.replace(/["\\]/g, '\\$&'))}"${rest}`;
}

/** The same for a sentence from outside, without quotes. */
export function shorten(text: string, most = 1000): string {
  const [shown, rest] = cut(text, most);
  return `${printable(shown)}${rest}`;
}

/** The first characters of a digest in hexadecimal, enough to recognise it. */
export function shortDigest(digest: string): string {
  return `${digest.slice(0, 12)}…`;
}

/** The first characters of a text, and an ellipsis when there are more. */
function cut(text: string, most: number): [shown: string, rest: '' | '…'] {
  // A character has at most two code units, so a text of megabytes is not read completely.
  const letters = Array.from(text.slice(0, 2 * most + 2));
  return [letters.slice(0, most).join(''), letters.length > most ? '…' : ''];
}
