// Builds dist/: types of the wire format from proto/, then TypeScript, then the page of a run for browsers. Does nothing
// when no source has changed.
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { alone, digest, root, run, runScript, stamp, stopwatch } from './lib.mjs';

const generated = 'src/transport/generated';
const tool = (name) => join(root, 'node_modules', '.bin', name);

/** Types only: at run time the .proto files are loaded, with the same options. */
function generateWireTypes() {
  const folder = join(root, 'proto');
  // Types of imported files are generated with the service that imports them.
  const hasService = (name) => /^service /m.test(readFileSync(join(folder, name), 'utf8'));
  const files = existsSync(folder) ? readdirSync(folder).filter(hasService) : [];
  rmSync(join(root, generated), { recursive: true, force: true });
  if (files.length > 0) {
    run(tool('proto-loader-gen-types'), [
      '--longs=Number',
      '--enums=String',
      '--defaults',
      '--oneofs',
      '--grpcLib=@grpc/grpc-js',
      '--targetFileExtension=.ts',
      '--importFileExtension=.js',
      `--includeDirs=${folder}`,
      `--outDir=${generated}`,
      ...files,
    ]);
  }
}

/** @param log called with one line when something was built */
export function build({ log }) {
  const sources = stamp('dist/.sources');
  // Without the generated types, which depend only on proto/.
  const folders = readdirSync(join(root, 'src')).flatMap((name) =>
    name === 'transport'
      ? readdirSync(join(root, 'src/transport'))
          .filter((inner) => inner !== 'generated')
          .map((inner) => `src/transport/${inner}`)
      : [`src/${name}`],
  );
  const inputs = [...folders.sort(), 'proto', 'tsconfig.json', 'package-lock.json', 'scripts/build.mjs'];
  const value = digest(inputs);
  if (
    sources.matches(value) &&
    ['cli.js', 'page/index.html'].every((file) => existsSync(join(root, 'dist', file)))
  ) {
    return;
  }
  const watch = stopwatch();
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  generateWireTypes();
  run(tool('tsc'), ['-p', 'tsconfig.json'], { failure: 'The TypeScript sources do not compile.' });
  run(tool('vite'), ['build', '--config', 'src/page/vite.config.mjs'], {
    failure: 'The page of a run cannot be built.',
  });
  chmodSync(join(root, 'dist/cli.js'), 0o755);
  sources.write(value);
  log(`built dist/ in ${watch.seconds} s`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await runScript(() => alone(() => build({ log: console.log })));
}
