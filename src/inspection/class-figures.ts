import { formatTable } from '../console/table.js';
import { sizesOfClasses } from '../hashing/similarity.js';
import type { Confusion } from '../retrieval/confusions.js';

/** Nearest database images of each query in which confusions are counted. */
export const countedNeighbours = 10;
/** Confusions that are named for each class. */
const namedConfusions = 3;

/** Figures of a class's queries. */
export interface ClassFigure {
  readonly name: string;
  readonly queries: number;
  /** Mean average precision. */
  readonly mAP: number;
  /** Other classes by their share of the nearest database images of the class's queries, the largest first. */
  readonly confusions: readonly { readonly name: string; readonly share: number }[];
}

/**
 * The figures of the classes that have queries, the worst first. Equal figures are in the order of the classes.
 * @param perClassAP by label, NaN when a class has no queries
 * @param queryLabels `[queries]`
 * @param nearest shares of the classes in the nearest images, by label, of `nearestClasses`
 */
export function classFigures(
  perClassAP: Float64Array,
  queryLabels: Int32Array,
  nearest: readonly (readonly Confusion[])[],
  classNames: readonly string[],
): ClassFigure[] {
  const queries = sizesOfClasses(queryLabels, classNames.length);
  return classNames
    .map((name, own) => ({
      name,
      queries: queries[own]!,
      mAP: perClassAP[own]!,
      confusions: nearest[own]!.filter(({ label }) => label !== own)
        .slice(0, namedConfusions)
        .map(({ label, share }) => ({ name: classNames[label]!, share })),
    }))
    .filter(({ mAP }) => !Number.isNaN(mAP))
    .sort((left, right) => left.mAP - right.mAP);
}

/** One line for each class. */
export function classTable(classes: readonly ClassFigure[]): string {
  const columns = [
    { title: 'class', isNumber: false },
    { title: 'queries', isNumber: true },
    { title: 'mAP', isNumber: true },
    { title: `other classes among the ${countedNeighbours} nearest images`, isNumber: false },
  ];
  const rows = classes.map(({ name, queries, mAP, confusions }) => [
    name,
    String(queries),
    mAP.toFixed(4),
    confusions.length === 0
      ? '-'
      : confusions.map((other) => `${other.name} ${(100 * other.share).toFixed(1)} %`).join(', '),
  ]);
  return formatTable(columns, rows);
}
