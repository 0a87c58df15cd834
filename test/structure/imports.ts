import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** One import, of types too, as a file of src writes it. */
export interface Import {
  /** Of the importing file, from the project's folder. */
  readonly file: string;
  /** Folder of src, or a file that lies in src itself. */
  readonly from: string;
  readonly specifier: string;
  /** The imported file, relative to src; undefined for a package. */
  readonly target: string | undefined;
  /** Its folder of src; undefined for a package, `..` for what lies outside src. */
  readonly to: string | undefined;
}

/** TypeScript files under a folder, but for those generated from proto/. */
export function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    // Types only.
    if (path === join('src', 'transport', 'generated')) return [];
    return entry.isDirectory() ? sourceFiles(path) : /\.tsx?$/.test(path) ? [path] : [];
  });
}

/** Everything that the files of src import. */
export function importsOfSource(): Import[] {
  return sourceFiles('src').flatMap(importsOf);
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8');
  const specifiers = [...text.matchAll(/(?:\bfrom|\bimport\(?)\s*'([^']+)'/g)].map((match) => match[1]!);
  return specifiers.map((specifier) => {
    const target = specifier.startsWith('.')
      ? sourceOf(relative('src', join(dirname(file), specifier)))
      : undefined;
    const to = target === undefined ? undefined : topOf(target);
    return { file, from: topOf(relative('src', file)), specifier, target, to };
  });
}

/** The source of an imported file: TypeScript, with or without tags; another file as it is. */
function sourceOf(target: string): string {
  const source = target.replace(/\.js$/, '.ts');
  return source.endsWith('.ts') && existsSync(join('src', `${source}x`)) ? `${source}x` : source;
}

function topOf(path: string): string {
  return path.split('/')[0]!;
}
