import { withConsole } from '../console/console.js';
import { auditRun } from './audit.js';
import { evaluateRun } from './evaluate-run.js';

/** `fcaenet evaluate`: the figures of a run's newest checkpoint. Throws the errors of `evaluateRun`. */
export async function evaluate(options: {
  readonly runDirectory: string;
  readonly data: string | undefined;
  readonly workers: number | undefined;
}): Promise<void> {
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
      ...(console.isTerminal ? {} : { perClassAP: classes }),
    });
  });
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
