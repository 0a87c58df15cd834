// Builds an API server of Kubernetes, `kubectl` of the same source and JobSet's manager into the machine's cache, for the
// tests in test/full/api-server.test.ts. It takes Go's module proxy, half an hour on two cores, and 4 GB of disk.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { hasProgram, run, runScript, SetupError, stopwatch } from './lib.mjs';

const kubernetes = 'v1.36.3';
/** What is under staging/ in Kubernetes' repository is published as modules of this version. */
const staged = kubernetes.replace('v1.', 'v0.');
const jobSet = 'v0.12.0';

const programs = {
  'kube-apiserver': 'k8s.io/kubernetes/cmd/kube-apiserver',
  kubectl: 'k8s.io/kubernetes/cmd/kubectl',
  jobset: 'sigs.k8s.io/jobset',
};

/** A folder of this machine, named after what it holds. */
function cache() {
  const caches = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return join(caches, 'fcaenet', `kubernetes-${kubernetes}-jobset-${jobSet}`);
}

/**
 * A module that has all of them: Kubernetes' own go.mod, with published modules in the place of its folders, and JobSet.
 * Kubernetes' versions of the others hold for JobSet too, so that no package is compiled twice.
 */
function moduleText(folder) {
  const requirement = `k8s.io/kubernetes ${kubernetes}`;
  writeFileSync(join(folder, 'go.mod'), 'module fcaenet.dev/test\n');
  const { GoMod } = JSON.parse(go(folder, ['mod', 'download', '-json', requirement.replace(' ', '@')]));
  const text = readFileSync(GoMod, 'utf8')
    .replace(/^module .*$/m, 'module fcaenet.dev/test')
    .replace(/=> \.\/staging\/src\/(k8s\.io\/[a-z-]+)/g, `=> $1 ${staged}`);
  const pins = [...text.matchAll(/^\t(\S+) (v\S+)(?: \/\/ indirect)?$/gm)]
    .filter(([, path]) => !text.includes(`\t${path} => `))
    .map(([, path, version]) => `replace ${path} => ${path} ${version}`);
  return [text, `require ${requirement}`, `require sigs.k8s.io/jobset ${jobSet}`, ...pins, ''].join('\n');
}

function go(folder, args) {
  return run('go', ['-C', folder, ...args], { environment: { GOFLAGS: '-mod=mod', GOWORK: 'off' } });
}

function installApiServer() {
  for (const [program, name] of [
    ['go', 'Go 1.26 or newer'],
    ['etcd', 'etcd-server'],
  ]) {
    if (!hasProgram(program)) {
      throw new SetupError(`The API server needs ${program} to be set up: install ${name}.`, 69);
    }
  }
  if (Object.keys(programs).every((name) => existsSync(join(cache(), name)))) {
    return;
  }
  const watch = stopwatch();
  console.log(`setup: compiling Kubernetes ${kubernetes} and JobSet ${jobSet}`);
  const partial = `${cache()}.${process.pid}.partial`;
  const folder = join(partial, 'module');
  mkdirSync(folder, { recursive: true });
  try {
    writeFileSync(join(folder, 'go.mod'), moduleText(folder));
    // One package at a time: it is for the background of a machine on which someone works.
    go(folder, ['build', '-p', '1', '-o', `${partial}/`, ...Object.values(programs)]);
    rmSync(folder, { recursive: true });
    rmSync(cache(), { recursive: true, force: true });
    renameSync(partial, cache());
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  console.log(`setup: compiled ${Object.keys(programs).join(', ')} in ${watch.seconds} s`);
}

if (process.argv.includes('--list')) {
  const paths = Object.keys(programs).map((name) => [name, join(cache(), name)]);
  console.log(JSON.stringify(Object.fromEntries(paths)));
} else {
  await runScript(installApiServer);
}
