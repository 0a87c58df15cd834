import { type Method, methods } from '../methods/methods.js';
import type { Variant } from './cell.js';
import {
  figureOfTable2,
  figureOfTable3,
  figureOfTable4,
  type PaperFigure,
  type PaperMethod,
  paperMethods,
} from './paper-figures.js';

/** The methods of the paper's Table 1 that this project has, FCAENet and its baseline first. */
export const tableMethods: readonly Method[] = [
  ...methods.filter((method) => method === 'fcaenet'),
  ...methods.filter((method) => method === 'baseline'),
  ...methods.filter((method) => method in paperMethods && method !== 'fcaenet' && method !== 'baseline'),
];

/** A row for each method. */
export function methodVariants(names: readonly Method[]): readonly Variant[] {
  return names.map((method) => {
    const known = (paperMethods as Readonly<Record<string, PaperMethod>>)[method];
    const title = known ? `${known.title} (${method}, ${supervisionOf(known)})` : method;
    return { name: method, title, settings: [`spec.method=${method}`] };
  });
}

function supervisionOf({ supervision }: PaperMethod): string {
  return supervision === 'none' ? 'unsupervised' : supervision;
}

/** What `fcaenet ablate` varies. */
export const ablations = ['components', 'regions', 'size'] as const;
export type Ablation = (typeof ablations)[number];

interface AblationRows {
  readonly paperTable: string;
  readonly paperFigure: PaperFigure;
  /** Values of the paper, the reference first. Methods for `components`, else numbers. */
  readonly values: readonly (string | number)[];
  /** The setting that has the values. */
  readonly setting: string;
  readonly title: (value: string | number) => string;
}

export const ablationRows: Readonly<Record<Ablation, AblationRows>> = {
  components: {
    paperTable: 'Table 2',
    paperFigure: figureOfTable2,
    values: ['fcaenet', 'esrl', 'srem', 'baseline'],
    setting: 'spec.method',
    title: (method) =>
      ({
        baseline: 'Baseline (baseline)',
        srem: 'Baseline + SREM (srem)',
        esrl: 'Baseline + ESRL (esrl)',
        fcaenet: 'FCAENet (fcaenet)',
      })[method] ?? String(method),
  },
  regions: {
    paperTable: 'Table 3',
    paperFigure: figureOfTable3,
    values: [50, 10, 100, 150],
    setting: 'spec.erasing.regions',
    title: (count) => `${count} regions`,
  },
  size: {
    paperTable: 'Table 4',
    paperFigure: figureOfTable4,
    values: [32, 16, 64, 128],
    setting: 'spec.erasing.size',
    title: (side) => `regions of ${side} pixels`,
  },
};

/** The rows of an ablation. */
export function ablationVariants(
  ablation: Ablation,
  values: readonly (string | number)[],
): readonly Variant[] {
  const { setting, title } = ablationRows[ablation];
  return values.map((value) => ({
    name: ablation === 'components' ? String(value) : `${ablation}${value}`,
    title: title(value),
    settings: [`${setting}=${value}`],
  }));
}
