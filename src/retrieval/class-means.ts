/**
 * The mean of each class's values.
 * @param labels of the values; those outside 0..classCount-1 are left out
 * @returns `[classCount]`, NaN for a class without values
 */
export function classMeans(values: Float64Array, labels: Int32Array, classCount: number): Float64Array {
  const sums = new Float64Array(classCount);
  const sizes = new Int32Array(classCount);
  labels.forEach((label, index) => {
    if (label < 0 || label >= classCount) return;
    sums[label]! += values[index]!;
    sizes[label]!++;
  });
  return sums.map((sum, label) => sum / sizes[label]!);
}
