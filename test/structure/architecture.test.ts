import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { withDrawings } from './drawing.js';
import { type Import, importsOfSource } from './imports.js';
import { circles, roomsOf, withoutImplied } from './rooms.js';

const imports = importsOfSource();

test('the drawings in docs/architecture.md are those of the imports', () => {
  const page = readFileSync('docs/architecture.md', 'utf8');
  expect(withDrawings(page, imports), 'they are stale: run `npm run architecture`').toBe(page);
});

test.each(['', 'coordinator'])('no circle runs through the rooms of src/%s', (folder) => {
  expect(circles(roomsOf(folder, imports))).toEqual([]);
});

/** An import of one file of src by another. */
function arrow(from: string, target: string): Import {
  const file = `src/${from}`;
  return { file, from: from.split('/')[0]!, specifier: `./${target}`, target, to: target.split('/')[0]! };
}

const places = ['<!-- rooms of src: begin -->', '<!-- rooms of src: end -->'];
const page = `${places.join('\n')}\n${places.join('\n').replaceAll('src', 'src/coordinator')}\n`;

test('a drawing has every room, and no arrow that follows from others', () => {
  const house = [
    arrow('top.ts', 'middle/a.ts'),
    arrow('top.ts', 'bottom/a.ts'),
    arrow('middle/a.ts', 'bottom/a.ts'),
    arrow('middle/a.ts', 'middle/b.ts'),
    arrow('coordinator/one/a.ts', 'coordinator/two.ts'),
    arrow('coordinator/one/a.ts', 'bottom/a.ts'),
  ];
  expect(withoutImplied(roomsOf('', house))).toEqual(
    new Map([
      ['top.ts', new Set(['middle'])],
      ['middle', new Set(['bottom'])],
      ['bottom', new Set()],
      ['coordinator', new Set(['bottom'])],
    ]),
  );
  const text = withDrawings(page, house);
  expect(text.match(/-->\s+r_\w+/g)).toHaveLength(4);
  expect(text).toContain('  r_one --> r_two_ts\n');
  expect(withDrawings(text, house)).toBe(text);
});

test('a circle through rooms is found', () => {
  const house = [
    arrow('a/x.ts', 'b/x.ts'),
    arrow('b/y.ts', 'c/x.ts'),
    arrow('c/y.ts', 'a/y.ts'),
    arrow('d.ts', 'a/x.ts'),
  ];
  expect(circles(roomsOf('', house))).toEqual(['a', 'b', 'c']);
});

test('a page without a place for a drawing is refused', () => {
  expect(() => withDrawings('# Architecture\n', imports)).toThrow('no place for the rooms of src');
});
