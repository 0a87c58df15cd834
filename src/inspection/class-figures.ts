/** The mean average precision of a class's queries. */
export interface ClassFigure {
  readonly name: string;
  readonly mAP: number;
}

/**
 * The figures of the classes that have queries, the worst first. Equal figures are in the order of the classes.
 * @param perClassAP by label, NaN when a class has no queries
 */
export function classFigures(perClassAP: Float64Array, classNames: readonly string[]): ClassFigure[] {
  return classNames
    .map((name, label) => ({ name, mAP: perClassAP[label]! }))
    .filter(({ mAP }) => !Number.isNaN(mAP))
    .sort((left, right) => left.mAP - right.mAP);
}
