import type { Import } from './imports.js';
import { type Rooms, roomsOf, withoutImplied } from './rooms.js';

/** The folders whose rooms the page draws. */
const drawn = ['', 'coordinator'];

/**
 * The page with its drawings as the imports make them: each stands between two comments that name its folder.
 * @throws Error where the page has no place for a drawing
 */
export function withDrawings(page: string, imports: readonly Import[]): string {
  return drawn.reduce((text, folder) => {
    const name = folder === '' ? 'src' : `src/${folder}`;
    const [begin, end] = ['begin', 'end'].map((edge) => `<!-- rooms of ${name}: ${edge} -->\n`) as [
      string,
      string,
    ];
    const [start, stop] = [text.indexOf(begin), text.indexOf(end)];
    if (start < 0 || stop < start) throw new Error(`the page has no place for the rooms of ${name}`);
    const drawing = mermaid(withoutImplied(roomsOf(folder, imports)));
    return `${text.slice(0, start)}${begin}\n${drawing}\n${text.slice(stop)}`;
  }, page);
}

/** A Mermaid flowchart; sorted, so that it only changes where the rooms do. */
function mermaid(rooms: Rooms): string {
  const names = [...rooms.keys()].sort();
  const id = (name: string) => name.replace(/\W/g, '_');
  // "end" is a word of Mermaid's, and other names may be: the label says the name, the id is not one.
  const nodes = names.map((name) => `  r_${id(name)}["${name}"]`);
  const arrows = names.flatMap((from) =>
    [...rooms.get(from)!].sort().map((to) => `  r_${id(from)} --> r_${id(to)}`),
  );
  return ['```mermaid', 'flowchart TD', ...nodes, ...arrows, '```', ''].join('\n');
}
