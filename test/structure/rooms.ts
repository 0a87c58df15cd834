import { relative } from 'node:path';
import type { Import } from './imports.js';

/** Which rooms import which: the name of a room, and those that it imports itself. */
export type Rooms = ReadonlyMap<string, ReadonlySet<string>>;

/**
 * The rooms of a folder of src: its sub-folders, and the files that lie in it.
 * @param folder relative to src; empty for src itself
 */
export function roomsOf(folder: string, imports: readonly Import[]): Rooms {
  const rooms = new Map<string, Set<string>>();
  const room = (name: string) => {
    if (!rooms.has(name)) rooms.set(name, new Set());
    return rooms.get(name)!;
  };
  for (const { file, target } of imports) {
    const from = roomOf(folder, relative('src', file));
    const to = target === undefined ? null : roomOf(folder, target);
    if (from !== null) room(from);
    if (from === null || to === null || from === to) continue;
    room(from).add(to);
    room(to);
  }
  return rooms;
}

/** Rooms that import themselves by way of others. */
export function circles(rooms: Rooms): string[] {
  return [...rooms.keys()].filter((room) => reaches(rooms, room, room));
}

/** The same without arrows that follow from others: where a imports b and b imports c, that a imports c. */
export function withoutImplied(rooms: Rooms): Rooms {
  return new Map(
    [...rooms].map(([from, targets]) => [
      from,
      new Set([...targets].filter((to) => ![...targets].some((by) => by !== to && reaches(rooms, by, to)))),
    ]),
  );
}

function reaches(rooms: Rooms, start: string, goal: string, seen = new Set<string>()): boolean {
  return [...(rooms.get(start) ?? [])].some((next) => {
    if (next === goal) return true;
    if (seen.has(next)) return false;
    seen.add(next);
    return reaches(rooms, next, goal, seen);
  });
}

/** Null for what lies outside the folder. */
function roomOf(folder: string, path: string): string | null {
  const inside = relative(folder, path);
  return inside.startsWith('..') ? null : inside.split('/')[0]!;
}
