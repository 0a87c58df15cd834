import { type Console, openConsole } from '../../console/console.js';
import { print } from '../../console/output.js';
import { formatTable } from '../../console/table.js';
import { compareRuns, type RunComparison } from './compare-runs.js';
import type { RunDescription } from './describe-run.js';
import { listRuns } from './list-runs.js';

/** `fcaenet runs list`: a table on a terminal, otherwise a JSON line for each run. Throws the errors of `listRuns`. */
export async function showRuns(folder: string): Promise<void> {
  const console = openConsole('result');
  const runs = await listRuns(folder, console.log);
  if (console.isTerminal) await print(runsTable(runs));
  else for (const run of runs) console.log.info('run', { ...run });
  console.close();
}

/** `fcaenet runs compare`: tables on a terminal, otherwise one JSON line. Throws the errors of `compareRuns`. */
export async function showComparison(first: string, second: string): Promise<void> {
  const console: Console = openConsole('result');
  const comparison = await compareRuns(first, second);
  if (console.isTerminal) await print(comparisonTables(comparison));
  else console.log.info('runs compared', { ...comparison });
  console.close();
}

/** One line for each run. */
export function runsTable(runs: readonly RunDescription[]): string {
  const numbers = ['bits', 'iteration', 'step', 'mAP', 'seconds'];
  const columns = ['run', 'state', 'method', ...numbers].map((title) => ({
    title,
    isNumber: numbers.includes(title),
  }));
  return formatTable(
    columns,
    runs.map(({ run, state, method, bits, iteration, iterations, step, mAP, seconds }) => [
      run,
      state,
      method,
      String(bits),
      `${iteration}/${iterations}`,
      String(step),
      mAP?.toFixed(4) ?? '-',
      seconds?.toFixed(0) ?? '-',
    ]),
  );
}

/** The runs, their different settings and digests, and their mAP by iteration. */
export function comparisonTables({ runs, settings, digests, partedAtStep, mAP }: RunComparison): string {
  const names = runs.map(({ run }) => ({ title: run, isNumber: false }));
  const text = (value: unknown) =>
    value === null ? '-' : typeof value === 'string' ? value : JSON.stringify(value);
  const differing = Object.entries(settings).map(([path, { first, second }]) => [
    path,
    text(first),
    text(second),
  ]);
  const digested = Object.entries(digests).map(([what, { first, second }]) => [
    what,
    first?.slice(0, 12) ?? '-',
    second?.slice(0, 12) ?? '-',
    first === null || second === null ? '' : first === second ? 'equal' : 'differ',
  ]);
  const evaluated = mAP.map(({ iteration, first, second }) => [
    String(iteration),
    first?.toFixed(4) ?? '-',
    second?.toFixed(4) ?? '-',
  ]);
  const left = (title: string) => ({ title, isNumber: false });
  const parts = [
    runsTable(runs),
    differing.length === 0
      ? 'all training settings are equal\n'
      : formatTable([left('setting'), ...names], differing),
    formatTable([left('digest'), ...names, left('')], digested),
    partedAtStep === null
      ? 'the gradients of all common steps are equal\n'
      : `the gradients differ from step ${partedAtStep} on\n`,
    formatTable([{ title: 'mAP after iteration', isNumber: true }, ...names], evaluated),
  ];
  return parts.join('\n');
}
