import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { nodeVersions, type OtherNode } from './node-versions.js';

/** The Node that the image has by default, of which the base is made here. */
const node = nodeOf(readFileSync('deploy/image/Dockerfile', 'utf8'));
/** Empty where images can be built without a registry and a daemon; else why not, for the title of a skipped test. */
export const buildahMissing = whyNoBuildah() || node.missing;

function nodeOf(dockerfile: string): OtherNode {
  const major = /^ARG BASE=\S+\/node:(\d+)-bookworm-slim$/m.exec(dockerfile)![1]!;
  return nodeVersions.find(({ version }) => version.startsWith(`${major}.`))!;
}

function whyNoBuildah(): string {
  if (process.getuid?.() !== 0) return ' (skipped: needs root)';
  const absent = ['buildah', 'debootstrap'].filter(
    (name) => spawnSync(name, ['--version']).error !== undefined,
  );
  return absent.length === 0 ? '' : ` (skipped: ${absent.join(' and ')} not installed)`;
}

/** Images in a storage of their own, with a base of Debian packages and the Node of the Dockerfile. */
export class ImageStore {
  readonly base = 'localhost/debian-with-node';
  private readonly folder = mkdtempSync(join(tmpdir(), 'fcaenet-images-'));

  /** What `buildah` prints. Throws with what it complains about. */
  buildah(...args: string[]): string {
    const storage = ['--root', join(this.folder, 'storage'), '--runroot', join(this.folder, 'run')];
    return execFileSync('buildah', [...storage, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: 1 << 28,
    }).trim();
  }

  /** Makes the base image: what `debootstrap` installs, that Node, npm as it is here, and this machine's authorities. */
  makeBase(): void {
    const root = join(this.folder, 'debian');
    execFileSync('debootstrap', ['--variant=minbase', 'bookworm', root], { stdio: 'ignore' });
    for (const folder of ['usr/local/bin', 'usr/local/lib', 'etc/ssl']) {
      mkdirSync(join(root, folder), { recursive: true });
    }
    cpSync(node.program, join(root, 'usr/local/bin/node'));
    const npm = dirname(dirname(realpathSync(execFileSync('which', ['npm'], { encoding: 'utf8' }).trim())));
    cpSync(npm, join(root, 'usr/local/lib/npm'), { recursive: true });
    symlinkSync('../lib/npm/bin/npm-cli.js', join(root, 'usr/local/bin/npm'));
    // Not where the package ca-certificates, once something installs it, writes its own.
    const authorities = 'etc/ssl/machine.crt';
    cpSync('/etc/ssl/certs/ca-certificates.crt', join(root, authorities));
    const container = this.buildah('from', 'scratch');
    this.buildah('copy', '--quiet', container, root, '/');
    const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
    const environment = [
      `PATH=${path}`,
      ...['NODE_EXTRA_CA_CERTS', 'PIP_CERT'].map((name) => `${name}=/${authorities}`),
    ];
    this.buildah('config', ...environment.flatMap((each) => ['--env', each]), container);
    this.buildah('commit', '--quiet', '--rm', container, this.base);
    rmSync(root, { recursive: true, force: true });
  }

  /** Forgets all images. */
  remove(): void {
    this.buildah('rm', '--all');
    this.buildah('rmi', '--all', '--force');
    rmSync(this.folder, { recursive: true, force: true });
  }
}
