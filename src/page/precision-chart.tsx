import { Chart } from './chart.js';
import type { Series } from './series.js';

/** Mean average precision by iteration, of one run or of several. */
export function PrecisionChart({ series }: { readonly series: readonly Series[] }) {
  return (
    <Chart
      title="Mean average precision"
      xLabel="iteration"
      series={series}
      empty="No iteration is evaluated yet."
    />
  );
}
