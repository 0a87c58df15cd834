import type { Place, Summary } from './summary.js';

/** The columns of `table.csv`. A cell without a value is empty. */
const columns: Readonly<Record<string, (place: Place) => string | number | boolean | null>> = {
  row: ({ variant }) => variant,
  bits: ({ bits }) => bits,
  equal: ({ equality }) => equality,
  finishedSeeds: ({ finished }) => finished,
  seeds: ({ seeds }) => seeds,
  mAP: ({ mAP }) => mAP?.mean ?? null,
  deviation: ({ mAP }) => mAP?.deviation ?? null,
  tieAveragedMAP: ({ tieAveragedMAP }) => tieAveragedMAP,
  paperMAP: ({ paper }) => paper,
  pairs: ({ difference }) => difference?.pairs ?? null,
  difference: ({ difference }) => difference?.mean ?? null,
  differenceLow: ({ difference }) => difference?.interval?.[0] ?? null,
  differenceHigh: ({ difference }) => difference?.interval?.[1] ?? null,
  images: ({ images }) => images,
  steps: ({ steps }) => steps,
  seconds: ({ seconds }) => seconds,
  tuned: ({ isTuned }) => isTuned,
};

/** One line for each place of the table, after a line of column names. Numbers have all their digits. */
export function tableCsv({ places }: Summary): string {
  const lines = places.map((place) =>
    Object.values(columns).map((cell) => {
      const value = cell(place);
      return value === null ? '' : String(value);
    }),
  );
  return [Object.keys(columns), ...lines].map((cells) => `${cells.join(',')}\n`).join('');
}
