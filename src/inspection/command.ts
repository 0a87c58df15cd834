import { openConsole, withConsole } from '../console/console.js';
import { print } from '../console/output.js';
import { auditRun } from './audit.js';
import { classTable } from './class-figures.js';
import { evaluateRun } from './evaluate-run.js';

/**
 * `fcaenet evaluate`: the figures of a run's newest checkpoint, with `classes` those of every class, with `json` all of
 * them as one JSON document. Throws the errors of `evaluateRun`.
 */
export async function evaluate(options: {
  readonly runDirectory: string;
  readonly data: string | undefined;
  readonly workers: number | undefined;
  readonly classes: boolean;
  readonly json: boolean;
}): Promise<void> {
  if (options.json) return printFigures(options);
  await withConsole('result', async (console) => {
    const { step, report, classes } = await evaluateRun({ ...options, console });
    const { perClassAP: _, ...figures } = report;
    const [worst, best] = [classes[0]!, classes.at(-1)!];
    console.log.info('evaluated', {
      step,
      ...figures,
      worstClass: worst.name,
      worstClassAP: worst.mAP,
      bestClass: best.name,
      bestClassAP: best.mAP,
      // Hundreds of classes: only in JSON.
      ...(console.isTerminal ? {} : { perClassAP: classes.map(({ name, mAP }) => ({ name, mAP })) }),
      ...(console.isTerminal || !options.classes ? {} : { classes }),
    });
    if (console.isTerminal && options.classes) await print(`\n${classTable(classes)}`);
  });
}

/** Prints the figures as one JSON document. Log and progress go to standard error. */
async function printFigures(options: Omit<Parameters<typeof evaluateRun>[0], 'console'>): Promise<void> {
  const console = openConsole('beside', process.stderr);
  try {
    const { step, report, classes } = await evaluateRun({ ...options, console });
    const { perClassAP: _, ...figures } = report;
    await print(`${JSON.stringify({ step, ...figures, classes }, null, 2)}\n`);
  } finally {
    console.close();
  }
}

/** `fcaenet audit`: what a run's ledger proves. Throws the errors of `auditRun`. */
export async function audit(options: {
  readonly runDirectory: string;
  readonly data: string | undefined;
}): Promise<void> {
  await withConsole('result', async ({ log }) => {
    log.info('the run is complete, and every sample was used exactly once per epoch', {
      ...(await auditRun({ ...options, log })),
    });
  });
}
