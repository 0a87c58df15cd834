import { isIgnored } from './expected.js';
import type { StoredTensor } from './tf-manifest.js';

/** What DataParallel, torch.compile and modules around a backbone put before the names of its tensors. */
const wrappers = ['module.', '_orig_mod.', 'backbone.'] as const;

/**
 * Takes from the tensors' names what a wrapper of the backbone put before all of them, and leaves out what a file of a
 * backbone holds besides the trunk.
 */
export function unwrap(tensors: ReadonlyMap<string, StoredTensor>): {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** what was taken away; empty where nothing was */
  readonly prefix: string;
} {
  const names = [...tensors.keys()];
  let prefix = '';
  for (;;) {
    const wrapper = wrappers.find((each) => names.every((name) => name.startsWith(prefix + each)));
    if (wrapper === undefined || names.length === 0) break;
    prefix += wrapper;
  }
  const unwrapped = [...tensors].map(([name, tensor]) => [name.slice(prefix.length), tensor] as const);
  return { tensors: new Map(unwrapped.filter(([name]) => !isIgnored(name))), prefix };
}
