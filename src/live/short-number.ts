/** The number with six digits, which is all that a curve shows. JSON has no NaN: it stays null there. */
export function shortNumber(value: number): number {
  return Number(value.toPrecision(6));
}
