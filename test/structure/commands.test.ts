import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  scripts: Record<string, string>;
};

interface Job {
  readonly strategy: { readonly matrix: { readonly node?: number[]; readonly command?: string[] } };
  readonly steps: readonly { readonly uses?: string; readonly run?: string }[];
}
const { jobs } = parse(readFileSync('.github/workflows/ci.yml', 'utf8')) as { jobs: Record<string, Job> };

/** Commands of a job, once for each value of its matrix where they are drawn from it. */
function commandsOf({ steps, strategy }: Job): string[] {
  return steps
    .flatMap(({ run }) => run ?? [])
    .flatMap((run) => (run.includes('matrix.command') ? (strategy.matrix.command ?? []) : run.split(' && ')));
}

/** What is wrong with a command, or null. */
function fault(command: string): string | null {
  const [program, verb, name] = command.split(' ');
  if (program === 'sudo') return null;
  if (program === 'npm') {
    return scripts[verb === 'run' ? name! : verb!] ? null : `package.json has no script for \`${command}\``;
  }
  try {
    accessSync(program!, constants.X_OK);
    return null;
  } catch {
    return `${program} is no program of the repository`;
  }
}

test('every command of the workflow is an npm script or a program of the repository', () => {
  const commands = Object.values(jobs).flatMap(commandsOf);
  expect(commands).toContain('.ci/run');
  expect(commands).toContain('npm run test:full');
  expect(commands).toContain('npm run test:mutation');
  expect(commands.map(fault).filter((each) => each !== null)).toEqual([]);
});

test('the workflow checks the versions of Node that the project is tested on', () => {
  const { dependencies } = JSON.parse(readFileSync('scripts/node-versions/package.json', 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const majors = Object.values(dependencies).map((specifier) => Number(/@(\d+)\.[^@]*$/.exec(specifier)![1]));
  expect(jobs.check!.strategy.matrix.node).toEqual([...new Set(majors)].sort((a, b) => a - b));
});

test('actions of the workflow have a version', () => {
  const actions = Object.values(jobs).flatMap(({ steps }) => steps.flatMap(({ uses }) => uses ?? []));
  expect(actions.filter((action) => !/@(v\d+|[0-9a-f]{40})$/.test(action))).toEqual([]);
});

test('every file that an npm script names is there', () => {
  const missing = Object.entries(scripts).flatMap(([name, command]) =>
    [...command.matchAll(/(?:^|\s)((?:scripts|bench|dashboards)\/\S+|\S+\.config\.\w+)/g)]
      .map((match) => match[1]!)
      .filter((path) => !existsSync(path))
      .map((path) => `${name}: ${path}`),
  );
  expect(missing).toEqual([]);
});
