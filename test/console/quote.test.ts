import { expect, test } from 'vitest';
import { ExitCode, FcaenetError, printable, quote } from '../../src/errors.js';

test.each([
  ['plain text', 'Münze 鳥 🐦', '"Münze 鳥 🐦"'],
  ['nothing', '', '""'],
  ['quotes and backslashes', 'a"b\\c', '"a\\"b\\\\c"'],
  ['ends of lines', 'a\rb\nc\td', '"a\\rb\\nc\\td"'],
  ['a terminal’s commands', '\u001b[2J\u009b2J\u007f', '"\\u001b[2J\\u009b2J\\u007f"'],
  ['a mark of byte order and a turned direction', '\ufeffa\u202eb', '"\\ufeffa\\u202eb"'],
  ['a separator of lines', 'a\u2028b', '"a\\u2028b"'],
  ['half a letter', 'a\ud83d', '"a\\ud83d"'],
  ['an invisible letter beyond 16 bits', '\u{e0041}', '"\\u{e0041}"'],
])('%s is quoted so that it can be read', (_, text, expected) => {
  expect(quote(text)).toBe(expected);
});

test('the limit counts letters, cuts none in two, and leaves a text of just that length whole', () => {
  expect(quote('🐦'.repeat(80))).toBe(`"${'🐦'.repeat(80)}"`);
  expect(quote('🐦'.repeat(81))).toBe(`"${'🐦'.repeat(80)}"…`);
  expect(quote('abcdef', 3)).toBe('"abc"…');
});

test('a list with carriage returns alone stays short', () => {
  expect(quote('1 a.jpg\r'.repeat(3000)).length).toBeLessThan(200);
});

test('an error holds no text that a terminal would obey', () => {
  const error = new FcaenetError('USAGE', 'there is no run a\u001b[31m\nb', ExitCode.usage);
  expect(error.message).toBe('there is no run a\\u001b[31m\\nb');
  expect(printable(error.message)).toBe(error.message);
});
