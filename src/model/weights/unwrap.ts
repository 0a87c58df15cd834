import { isIgnored } from './expected.js';
import type { StoredTensor } from './tf-manifest.js';

/** Prefixes that DataParallel, torch.compile and modules around a backbone add to the names of its tensors. */
const wrappers = ['module.', '_orig_mod.', 'backbone.'] as const;

/** Removes a wrapper's common prefix from the tensors' names, and drops tensors that do not belong to the trunk. */
export function unwrap(tensors: ReadonlyMap<string, StoredTensor>): {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** the removed prefix; empty when there was none */
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
