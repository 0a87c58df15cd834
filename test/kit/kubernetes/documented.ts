import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Overlay } from './overlay.js';

export interface DocumentedOverlay {
  /** As it is shown, without the marks of a comment. */
  readonly text: string;
  readonly overlay: Overlay;
}

/** The kustomizations that a page, or a comment in a file of YAML, shows; each as a folder beside the overlays. */
export function documentedOverlays(file: string): DocumentedOverlay[] {
  const content = readFileSync(file, 'utf8');
  const texts = file.endsWith('.md')
    ? [...content.matchAll(/^```text\n(resources: [\s\S]*?)^```$/gm)].map(([, text]) => text!)
    : [...content.matchAll(/^# {3}resources: .*\n(?:# {3}.*\n)*/gm)].map(([text]) =>
        text.replace(/^# {3}/gm, ''),
      );
  return texts.map((text) => ({ text, overlay: overlayOf(text) }));
}

function overlayOf(text: string): Overlay {
  const { resources, components = [], ...rest } = parse(text) as Record<string, string[]>;
  const fromHere = (path: string) => join('deploy/overlays/mine', path);
  return { resources: resources!.map(fromHere), components: components.map(fromHere), rest };
}
