import { chmodSync, chownSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { find, type Manifest } from './kustomize.js';

/** `$(NAME)` in commands and arguments, as Kubernetes expands it: unknown names stay as they are. */
export function expandVariables(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replace(/\$\(([A-Za-z_]\w*)\)/g, (whole, name: string) => variables[name] ?? whole);
}

/** Contents of Secrets, which no manifest has: file names and their contents, by the Secret's name. */
export type Secrets = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** The volumes and the environment of pods: from the manifests, from Secrets, and from folders that stand for disks. */
export class Volumes {
  /** @param folder where persistent volumes are, one folder a claim */
  constructor(
    private readonly manifests: readonly Manifest[],
    private readonly secrets: Secrets,
    private readonly folder: string,
    private readonly group: number,
  ) {}

  /** A container's variables by name. */
  environment(
    container: Manifest,
    pod: { readonly name: string; readonly namespace: string },
  ): Record<string, string> {
    return Object.fromEntries(
      (container.env ?? []).map(({ name, value, valueFrom }: Manifest) => {
        if (valueFrom === undefined) return [name, value];
        if (valueFrom.configMapKeyRef) {
          const { name: map, key } = valueFrom.configMapKeyRef;
          return [name, find(this.manifests, 'ConfigMap', map).data[key]];
        }
        const fields: Record<string, string> = {
          'metadata.name': pod.name,
          'metadata.namespace': pod.namespace,
          // The pods of a test share one network.
          'status.podIP': '127.0.0.1',
        };
        return [name, fields[valueFrom.fieldRef.fieldPath]];
      }),
    );
  }

  /** The folder that stands for a persistent volume. */
  claim(name: string): string {
    const folder = join(this.folder, `claim-${name}`);
    mkdirSync(folder, { recursive: true });
    return this.ofGroup(folder, 0o2770);
  }

  /** The folder to mount for a pod's volume, with owners and modes as the kubelet sets them. */
  // biome-ignore lint/suspicious/noExplicitAny: a volume has one of many forms, which are told apart here.
  folderOf(volume: any, podFolder: string): string {
    if (volume.persistentVolumeClaim) return this.claim(volume.persistentVolumeClaim.claimName);
    if (volume.emptyDir) {
      const folder = join(podFolder, `empty-${volume.name}`);
      mkdirSync(folder, { recursive: true });
      return this.ofGroup(folder, 0o2777);
    }
    const folder = mkdtempSync(join(podFolder, `${volume.name}-`));
    const [content, mode] = volume.secret
      ? [this.secrets[volume.secret.secretName], volume.secret.defaultMode]
      : [find(this.manifests, 'ConfigMap', volume.configMap.name).data, 0o644];
    if (!content) throw new Error(`there is no Secret ${volume.secret.secretName}`);
    const items = (volume.configMap?.items ?? Object.keys(content).map((key) => ({ key, path: key }))) as {
      key: string;
      path: string;
    }[];
    for (const { key, path } of items) {
      writeFileSync(join(folder, path), content[key]!);
      this.ofGroup(join(folder, path), mode);
    }
    return this.ofGroup(folder, 0o755);
  }

  private ofGroup(path: string, mode: number): string {
    chownSync(path, 0, this.group);
    chmodSync(path, mode);
    return path;
  }
}
