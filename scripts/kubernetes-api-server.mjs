// Builds an API server of Kubernetes, its controllers, `kubectl` of the same source and the managers of JobSet and Kueue
// into the machine's cache, for tests in test/full/. It takes Go's module proxy, half an hour on two cores, and 4 GB of disk.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { hasProgram, run, runScript, SetupError, stopwatch } from './lib.mjs';

const kubernetes = 'v1.36.3';
/** What is under staging/ in Kubernetes' repository is published as modules of this version. */
const staged = kubernetes.replace('v1.', 'v0.');
const managers = { 'sigs.k8s.io/jobset': 'v0.12.0', 'sigs.k8s.io/kueue': 'v0.19.0' };

const programs = {
  'kube-apiserver': 'k8s.io/kubernetes/cmd/kube-apiserver',
  'kube-controller-manager': 'k8s.io/kubernetes/cmd/kube-controller-manager',
  kubectl: 'k8s.io/kubernetes/cmd/kubectl',
  jobset: 'sigs.k8s.io/jobset',
  kueue: 'sigs.k8s.io/kueue/cmd/kueue',
};

/** A folder of this machine, named after what it holds. */
function cache() {
  const caches = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  const versions = Object.entries(managers).map(([name, version]) => `${basename(name)}-${version}`);
  return join(caches, 'fcaenet', ['kubernetes', kubernetes, ...versions].join('-'));
}

/** Everything that is built, by name. */
function paths() {
  const names = [...Object.keys(programs), ...Object.keys(managers).map((each) => `${basename(each)}.yaml`)];
  return Object.fromEntries(names.map((name) => [name, join(cache(), name)]));
}

/** What a manager's installation registers: its custom resources and webhooks. */
function registered(components) {
  const resources = join(components, 'crd/bases');
  const files = readdirSync(resources).map((name) => join(resources, name));
  return [...files, join(components, 'webhook/manifests.yaml')]
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n---\n');
}

/**
 * A module that has all of them: Kubernetes' own go.mod, with published modules in the place of its folders, and the
 * managers. Kubernetes' versions of the others hold for the managers too, so that no package is compiled twice.
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
  const requirements = [requirement, ...Object.entries(managers).map((each) => each.join(' '))];
  return [text, ...requirements.map((each) => `require ${each}`), ...pins, ''].join('\n');
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
  if (Object.values(paths()).every((path) => existsSync(path))) {
    return;
  }
  const watch = stopwatch();
  console.log(`setup: compiling ${basename(cache())}`);
  const partial = `${cache()}.${process.pid}.partial`;
  const folder = join(partial, 'module');
  mkdirSync(folder, { recursive: true });
  try {
    writeFileSync(join(folder, 'go.mod'), moduleText(folder));
    // One package at a time: it is for the background of a machine on which someone works.
    const named = `-ldflags=-X k8s.io/component-base/version.gitVersion=${kubernetes}`;
    go(folder, ['build', '-p', '1', named, '-o', `${partial}/`, ...Object.values(programs)]);
    for (const manager of Object.keys(managers)) {
      const source = go(folder, ['list', '-m', '-f', '{{.Dir}}', manager]).trim();
      const text = registered(join(source, 'config/components'));
      writeFileSync(join(partial, `${basename(manager)}.yaml`), text);
    }
    rmSync(folder, { recursive: true });
    rmSync(cache(), { recursive: true, force: true });
    renameSync(partial, cache());
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  console.log(`setup: compiled ${Object.keys(programs).join(', ')} in ${watch.seconds} s`);
}

if (process.argv.includes('--list')) {
  console.log(JSON.stringify(paths()));
} else {
  await runScript(installApiServer);
}
