import { copyFileSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Manifest } from './kustomize.js';
import type { PodOptions } from './pod-options.js';
import { expandVariables } from './volumes.js';

/** Where programs are in every container. */
export const searchPath = '/opt/bin:/usr/bin:/usr/sbin';

/**
 * Shell that makes the container's file system and then becomes its program: this machine's /usr, the project in /app,
 * the volumes where they are mounted, and nothing that can be written besides. Its first argument is the host name.
 */
export function containerScript(container: Manifest, pod: PodOptions): string {
  const { template, volumes, folder } = pod;
  const { securityContext: ofPod, volumes: declared } = template.spec;
  const root = join(folder, `${container.name}`);
  prepareRoot(root, pod);
  const mounts = container.volumeMounts.map(
    (mount: { name: string; mountPath: string; readOnly?: boolean }) => {
      const source = volumes.folderOf(
        declared.find(({ name }: { name: string }) => name === mount.name),
        folder,
      );
      mkdirSync(join(root, mount.mountPath), { recursive: true });
      const target = join(root, mount.mountPath);
      return mount.readOnly ? bindReadOnly(source, target) : `mount --bind ${quote(source)} ${quote(target)}`;
    },
  );
  const variables = volumes.environment(container, pod);
  const words = [...container.command, ...(container.args ?? [])].map((word: string) =>
    // The pods of a test share one network, in which a port can be taken once.
    expandVariables(word, variables).replace(/^--peer-listen=.*/, '--peer-listen=127.0.0.1:0'),
  );
  const environment = Object.entries({ PATH: searchPath, HOME: '/', ...variables });
  const { readOnlyRootFilesystem, allowPrivilegeEscalation, capabilities } = container.securityContext;
  const limits = [
    ...(allowPrivilegeEscalation === false ? ['--no-new-privs'] : []),
    ...(capabilities.drop.includes('ALL') ? ['--inh-caps=-all', '--bounding-set=-all'] : []),
    `--reuid=${ofPod.runAsUser}`,
    `--regid=${ofPod.runAsGroup}`,
    `--groups=${ofPod.fsGroup}`,
  ];
  return [
    'mount --make-rprivate /',
    'hostname "$1"',
    `mount --bind ${quote(root)} ${quote(root)}`,
    `mount --rbind /dev ${quote(`${root}/dev`)}`,
    ...[
      ['/usr', 'usr'],
      [resolve('.'), 'app'],
    ].map(([source, at]) => bindReadOnly(source!, join(root, at!))),
    `mount -t proc proc ${quote(`${root}/proc`)}`,
    `mount --bind ${quote(process.execPath)} ${quote(`${root}/opt/bin/node`)}`,
    ...mounts,
    readOnlyRootFilesystem ? `mount -o remount,bind,ro ${quote(root)}` : '',
    ['exec chroot', quote(root), 'setpriv', ...limits, 'env -i']
      .concat(
        environment.map(([name, value]) => quote(`${name}=${value}`)),
        words.map(quote),
      )
      .join(' '),
  ].join('\n');
}

function prepareRoot(root: string, pod: PodOptions): void {
  const folders = ['usr', 'dev', 'proc', 'etc', 'app', 'opt/bin', 'tmp'];
  for (const folder of folders) mkdirSync(join(root, folder), { recursive: true });
  for (const name of ['bin', 'lib', 'lib64', 'sbin']) symlinkSync(`usr/${name}`, join(root, name));
  symlinkSync('/app/dist/cli.js', join(root, 'opt/bin/fcaenet'));
  writeFileSync(join(root, 'opt/bin/node'), '');
  // Where there is no tini the program is process 1 itself.
  if (!existsSync('/usr/bin/tini')) {
    writeFileSync(join(root, 'opt/bin/tini'), '#!/bin/sh\nshift\nexec "$@"\n', { mode: 0o755 });
  }
  copyFileSync('/etc/ld.so.cache', join(root, 'etc/ld.so.cache'));
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/:/sbin/nologin\n');
  writeFileSync(join(root, 'etc/nsswitch.conf'), 'hosts: files\n');
  const hosts = ['localhost', pod.hostname, ...pod.hosts].join(' ');
  writeFileSync(join(root, 'etc/hosts'), `127.0.0.1 ${hosts}\n`);
}

function bindReadOnly(source: string, target: string): string {
  return `mount --bind ${quote(source)} ${quote(target)}; mount -o remount,bind,ro ${quote(target)}`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
