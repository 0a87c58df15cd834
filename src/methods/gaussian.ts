/**
 * Independent standard normal numbers, by Box and Muller.
 * @param uniform keyed numbers in [0, 1), called once for each index in 0..2·count-1
 */
export function gaussians(uniform: (index: number) => number, count: number): Float64Array<ArrayBuffer> {
  return Float64Array.from({ length: count }, (_, i) => {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform(2 * i)));
    return radius * Math.cos(2 * Math.PI * uniform(2 * i + 1));
  });
}
