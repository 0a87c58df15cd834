// Brings the Python packages that read exported files into a virtual environment of the machine's cache, for the tests of
// docs/python.md: python-packages.txt, and with `--torch` also python-torch.txt, which has gigabytes. With `--list` it
// says, as JSON, which Python that is or would be, and installs nothing.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { alone, root, run, runScript, stopwatch } from './lib.mjs';

const lists = ['python-packages.txt', 'python-torch.txt'].map((name) => join(root, 'scripts', name));

/** A folder of this machine, named after what it holds. */
function environment() {
  const digest = createHash('sha256');
  for (const list of lists) digest.update(readFileSync(list));
  const caches = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return join(caches, 'fcaenet', `python-${digest.digest('hex').slice(0, 16)}`);
}

const python = () => join(environment(), 'bin', 'python');

/** Installs the packages of a list, unless an earlier call has. */
function install(list) {
  const mark = join(environment(), `installed-${basename(list)}`);
  if (existsSync(mark)) return;
  const watch = stopwatch();
  run(python(), ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--requirement', list], {
    failure: `The packages of ${list} cannot be installed; see above.`,
  });
  writeFileSync(mark, '');
  console.log(
    `setup: installed ${readFileSync(list, 'utf8').trim().split('\n').join(', ')} in ${watch.seconds} s`,
  );
}

function installPackages() {
  if (!existsSync(python())) {
    rmSync(environment(), { recursive: true, force: true });
    mkdirSync(environment(), { recursive: true });
    run('python3', ['-m', 'venv', environment()], {
      failure: 'python3 cannot make a virtual environment; see above.',
    });
  }
  const [packages, torch] = lists;
  install(packages);
  if (process.argv.includes('--torch')) install(torch);
}

if (process.argv.includes('--list')) {
  console.log(JSON.stringify({ python: python() }));
} else {
  await runScript(() => alone(installPackages));
}
