import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface Import {
  readonly file: string;
  readonly specifier: string;
  /** File of src that is imported, or undefined for a package. */
  readonly target: string | undefined;
}

/** TypeScript files below a folder. */
export function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    // Generated from proto/, types only.
    if (path === join('src', 'transport', 'generated')) return [];
    return entry.isDirectory() ? sourceFiles(path) : path.endsWith('.ts') ? [path] : [];
  });
}

/** What a file imports, types included. */
export function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8');
  const specifiers = [...text.matchAll(/(?:\bfrom|\bimport\(?)\s*'([^']+)'/g)].map((match) => match[1]!);
  return specifiers.map((specifier) => ({
    file,
    specifier,
    target: specifier.startsWith('.') ? join(dirname(file), specifier).replace(/\.js$/, '.ts') : undefined,
  }));
}

/** Every node from which a path of edges leads back to itself. */
export function nodesOnCircles(edges: Iterable<readonly [from: string, to: string]>): string[] {
  const next = new Map<string, Set<string>>();
  for (const [from, to] of edges) next.set(from, (next.get(from) ?? new Set()).add(to));
  const reachable = (start: string): Set<string> => {
    const seen = new Set<string>();
    const waiting = [start];
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      for (const to of next.get(node) ?? []) {
        if (seen.has(to)) continue;
        seen.add(to);
        waiting.push(to);
      }
    }
    return seen;
  };
  return [...next.keys()].filter((node) => reachable(node).has(node));
}
