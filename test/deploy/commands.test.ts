import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseCommandLine } from '../cli/support.js';
import { shownCommands } from '../kit/pages.js';

/** The words of every `kubectl` command that a page shows, by its verb; options before the verb are left out. */
const kubectl = shownCommands().flatMap(([page, command]) => {
  const [program, ...words] = command.replace(/ --namespace \S+/, '').split(' ');
  return program === 'kubectl' ? [{ page, command, verb: words[0]!, words: words.slice(1) }] : [];
});
const ofVerb = (...verbs: string[]) => kubectl.filter(({ verb }) => verbs.includes(verb));

/** Pods of deploy/ with a name of their own, and where they have their volume. */
const named = new Map(
  ['deploy/dataset-volume/copy.yaml', 'deploy/results/pod.yaml'].map((file) => {
    const { metadata, spec } = parse(readFileSync(file, 'utf8'));
    return [metadata.name as string, spec.containers[0].volumeMounts[0].mountPath as string];
  }),
);
/** As the pages set them, before they use them. */
const variables = ['"$coordinator"', '"$worker"'];

test.each(ofVerb('logs'))('$page: `$command` reads every pod, whatever state it is in', ({ words }) => {
  expect(words).toEqual(expect.arrayContaining(['--selector', '--all-containers', '--ignore-errors']));
});

test.each(ofVerb('exec', 'port-forward'))(
  '$page: `$command` asks a pod, not a Job, whose pods may have ended',
  ({ words }) => {
    expect([...named.keys(), ...variables]).toContain(words[0]);
  },
);

test.each(ofVerb('get').filter(({ command }) => command.includes('--output name')))(
  '$page: `$command` finds a pod that runs',
  ({ words }) => {
    expect(words.join(' ')).toMatch(
      /^pods --selector app\.kubernetes\.io\/component=(coordinator|worker) --field-selector status\.phase=Running --output name$/,
    );
  },
);

test.each(ofVerb('exec').filter(({ command }) => command.includes(' -- fcaenet ')))(
  '$page: `$command` runs a command that exists',
  async ({ words }) => {
    await parseCommandLine(...words.slice(words.indexOf('--') + 2));
  },
);

test.each(ofVerb('cp'))(
  '$page: `$command` copies to the same place however often it is given',
  ({ words }) => {
    const [source, target] = words as [string, string];
    const [pod, path] = (source.includes(':') ? source : target).split(':') as [string, string];
    const mount = named.get(pod);
    expect(`${path}/`).toMatch(new RegExp(`^${mount}/`));
    // kubectl copies a folder into a folder that is there, and as it where it is not: the second time to another place.
    if (target.includes(':') && !/\.\w+$/.test(source)) expect(path).toBe(mount);
  },
);
