/**
 * How a process of this project ends. 75 asks to be run again; 64–74 and 76–78 (the meanings of sysexits.h) say
 * that running again with the same input cannot help.
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
export function isHopeless(exitCode: number | null): boolean {
  return exitCode !== null && exitCode >= 64 && exitCode <= 78 && exitCode !== ExitCode.interrupted;
}

/**
 * Base of every error a user can meet. The message is one sentence that names the value and what was expected;
 * `code` is stable and machine-readable (`AREA_WHAT`); the cause stays attached and is never sent to a peer.
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

/** The text in one line, what a terminal would not show as itself written as an escape. */
export function printable(text: string): string {
  return text.replace(unprintable, (letter) => {
    const code = letter.codePointAt(0)!.toString(16);
    return shortEscapes[letter] ?? (code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, '0')}`);
  });
}

/**
 * The beginning of a text that somebody else wrote, for a sentence: in quotes, escaped, and cut where it is long.
 *
 * @param most letters shown; what is cut shows as an ellipsis after the quotes
 */
export function quote(text: string, most = 80): string {
  const [shown, rest] = cut(text, most);
  return `"${printable(shown.replace(/["\\]/g, '\\$&'))}"${rest}`;
}

/** The same of a sentence that somebody else wrote, without quotes. */
export function shorten(text: string, most = 1000): string {
  const [shown, rest] = cut(text, most);
  return `${printable(shown)}${rest}`;
}

/** The first letters of a text, and an ellipsis where there are more. */
function cut(text: string, most: number): [shown: string, rest: '' | '…'] {
  // At most two units a letter: a text of megabytes is not looked at whole.
  const letters = Array.from(text.slice(0, 2 * most + 2));
  return [letters.slice(0, most).join(''), letters.length > most ? '…' : ''];
}
