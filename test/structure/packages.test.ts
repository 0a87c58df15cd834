import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { expect, test } from 'vitest';

interface Manifest {
  readonly dependencies: Record<string, string>;
  readonly devDependencies: Record<string, string>;
  readonly scripts: Record<string, string>;
  readonly version: string;
}

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
const { dependencies, devDependencies } = manifest;
const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
  version: string;
  packages: Record<string, Manifest & { optionalDependencies?: Record<string, string> }>;
};

test('every dependency has one exact version', () => {
  const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(
    ([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version),
  );
  expect(loose).toEqual([]);
});

test('the lock file belongs to package.json', () => {
  expect(lock.packages['']).toMatchObject({ dependencies, devDependencies });
  expect(lock.version).toBe(manifest.version);
});

test('the lock file knows the optional packages of every platform, without which npm ci refuses it', () => {
  const names = Object.values(lock.packages).flatMap(({ optionalDependencies }) =>
    Object.keys(optionalDependencies ?? {}),
  );
  const missing = names.filter(
    (name) => !Object.keys(lock.packages).some((path) => path.endsWith(`node_modules/${name}`)),
  );
  expect(missing).toEqual([]);
});

test('the set-up scripts need no package', () => {
  const files = readdirSync('scripts').filter((name) => name.endsWith('.mjs'));
  const foreign = files.flatMap((name) =>
    [...readFileSync(join('scripts', name), 'utf8').matchAll(/^import .*'([^']+)';$/gm)]
      .map((match) => match[1]!)
      .filter((specifier) => !specifier.startsWith('.') && !isBuiltin(specifier))
      .map((specifier) => `${name} imports ${specifier}`),
  );
  expect(foreign).toEqual([]);
});

test('each dependency has its reason in docs/dependencies.md, and nothing else has', () => {
  const page = readFileSync('docs/dependencies.md', 'utf8');
  const named = [...page.matchAll(/^\| `([^`]+)` *\|/gm)].map((match) => match[1]!);
  expect(named.sort()).toEqual(Object.keys({ ...dependencies, ...devDependencies }).sort());
});

test('CHANGELOG.md has an entry for the version', () => {
  expect(readFileSync('CHANGELOG.md', 'utf8')).toContain(`## ${manifest.version}`);
});
