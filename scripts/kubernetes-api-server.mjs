// Builds an API server of Kubernetes, `kubectl` of the same source and JobSet's manager into the machine's cache, for the
// tests in test/full/api-server.test.ts. It takes Go's module proxy, half an hour on two cores, and 4 GB of disk.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasProgram, run, runScript, SetupError, stopwatch } from './lib.mjs';

const kubernetes = 'v1.36.3';
/** What is under staging/ in Kubernetes' repository is published as modules of this version. */
const staged = kubernetes.replace('v1.', 'v0.');
const jobSet = 'v0.12.0';
const goVersion = '1.26.0';

const programs = [
  { name: 'kube-apiserver', package: 'k8s.io/kubernetes/cmd/kube-apiserver', module: kubernetesModule },
  { name: 'kubectl', package: 'k8s.io/kubernetes/cmd/kubectl', module: kubernetesModule },
  {
    name: 'jobset-manager',
    package: 'sigs.k8s.io/jobset',
    module: () => moduleThatRequires('sigs.k8s.io/jobset', jobSet),
  },
];

/** A folder of this machine, named after what it holds. */
function cache() {
  const caches = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return join(caches, 'fcaenet', `kubernetes-${kubernetes}-jobset-${jobSet}`);
}

function moduleThatRequires(path, version) {
  return `module fcaenet.dev/test\n\ngo ${goVersion}\n\nrequire ${path} ${version}\n`;
}

/** Kubernetes' own go.mod, which pins every package, with published modules in the place of its folders. */
function kubernetesModule(folder) {
  writeFileSync(join(folder, 'go.mod'), moduleThatRequires('k8s.io/kubernetes', kubernetes));
  const { GoMod } = JSON.parse(go(folder, ['mod', 'download', '-json', `k8s.io/kubernetes@${kubernetes}`]));
  const text = readFileSync(GoMod, 'utf8')
    .replace(/^module .*$/m, 'module fcaenet.dev/test')
    .replace(/=> \.\/staging\/src\/(k8s\.io\/[a-z-]+)/g, `=> $1 ${staged}`);
  return `${text}\nrequire k8s.io/kubernetes ${kubernetes}\n`;
}

function go(folder, args) {
  return run('go', ['-C', folder, ...args], { environment: { GOFLAGS: '-mod=mod', GOWORK: 'off' } });
}

function build({ name, package: path, module }) {
  const program = join(cache(), name);
  if (existsSync(program)) {
    return;
  }
  const watch = stopwatch();
  console.log(`setup: compiling ${name}`);
  const folder = join(tmpdir(), `fcaenet-${name}-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'go.mod'), module(folder));
  const partial = `${program}.${process.pid}.partial`;
  // One package at a time: it is for the background of a machine on which someone works.
  go(folder, ['build', '-p', '1', '-o', partial, path]);
  renameSync(partial, program);
  console.log(`setup: compiled ${name} in ${watch.seconds} s`);
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
  mkdirSync(cache(), { recursive: true });
  programs.forEach(build);
}

if (process.argv.includes('--list')) {
  console.log(JSON.stringify(Object.fromEntries(programs.map(({ name }) => [name, join(cache(), name)]))));
} else {
  await runScript(installApiServer);
}
