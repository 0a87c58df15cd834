import { withConsole } from '../../console/console.js';
import { print } from '../../console/output.js';
import { formatTable } from '../../console/table.js';
import type { InspectionOptions } from '../local-fleet.js';
import { type Bisection, bisectRuns, type TensorReport } from './bisect.js';

/** `fcaenet runs compare --bisect`: text on a terminal, otherwise one JSON line. Throws what `bisectRuns` throws. */
export async function showBisection(
  options: InspectionOptions & { readonly first: string; readonly second: string },
): Promise<void> {
  const { first, second, ...inspected } = options;
  await withConsole('result', async (console) => {
    const bisection = await bisectRuns(first, second, { ...inspected, console });
    if (console.isTerminal) await print(bisectionText(bisection));
    else console.log.info('runs bisected', { ...bisection });
  });
}

/** The finding as text, from the sentence to the tensors. */
export function bisectionText(bisection: Bisection): string {
  const { sentence, step, position, tensors, microbatch, afterwards, replays } = bisection;
  const where =
    position &&
    `the gradients differ from step ${step} on: iteration ${position.iteration}, epoch ${position.epoch}, step ${position.step}\n`;
  const replayed = replays.map(
    ({ run, checkpoint, stepsBefore, otherThanLedgerAtStep, identityDifferences }) => [
      run,
      checkpoint ?? 'the beginning',
      String(stepsBefore),
      otherThanLedgerAtStep === null ? 'every step' : `other bits from step ${otherThanLedgerAtStep} on`,
      identityDifferences === null ? 'unknown' : identityDifferences.join('; ') || 'equal',
    ],
  );
  const titles = ['run', 'computed again from', 'steps before', 'as in its ledger', 'numerical identity'];
  const rows = [
    ...tensorRows('before the step', tensors.state),
    ...tensorRows(`microbatch ${microbatch}`, tensors.microbatch),
    ...tensorRows(`checkpoints after step ${afterwards?.step}`, afterwards?.tensors ?? null),
  ];
  return [
    `${sentence}\n`,
    where,
    replayed.length > 0 && formatTable(titles.map(left), replayed),
    rows.length > 0 && formatTable(tensorColumns, rows),
  ]
    .filter((part) => typeof part === 'string')
    .join('\n');
}

const left = (title: string) => ({ title, isNumber: false });
const right = (title: string) => ({ title, isNumber: true });
const tensorColumns = [
  ...['where', 'which', 'tensor'].map(left),
  ...['elements that differ', 'largest difference', 'ulp'].map(right),
];

function tensorRows(where: string, report: TensorReport | null): string[][] {
  if (!report) return [];
  const { first, largest, differing } = report;
  return [['first', first] as const, [`largest of ${differing}`, largest] as const].map(
    ([which, { tensor, differing, elements, absolute, ulp }]) => [
      where,
      which,
      tensor,
      `${differing} of ${elements}`,
      absolute?.toExponential(3) ?? 'not finite',
      ulp === null ? '-' : String(ulp),
    ],
  );
}
