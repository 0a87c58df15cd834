import { useState } from 'preact/hooks';
import type { RunList } from '../live/view.js';
import { wordsOfPrecision, wordsOfState } from '../live/words.js';

interface RunTableProps {
  readonly list: RunList;
  /** Why the list is not the present one; null where it is. */
  readonly failure: string | null;
}

/** The runs of a folder. Two can be chosen, to be compared. */
export function RunTable({ list, failure }: RunTableProps) {
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const toggle = (run: string) =>
    setChosen(chosen.includes(run) ? chosen.filter((each) => each !== run) : [...chosen, run].slice(-2));
  const [first, second] = chosen;
  const canCompare = list.runs.length > 1;
  return (
    <main>
      <header>
        <h1>Runs</h1>
      </header>
      {failure !== null && (
        <p class="link bad" role="status">
          {failure} Below is the last list that is known.
        </p>
      )}
      {list.runs.length === 0 ? (
        <p class="empty">There is no run in this folder yet. A run that starts in it appears here.</p>
      ) : (
        <section class={failure === null ? 'card' : 'card stale'}>
          <table class="runs">
            <thead>
              <tr>
                <th scope="col">run</th>
                <th scope="col">state</th>
                <th scope="col">method</th>
                <th scope="col" class="number">
                  bits
                </th>
                <th scope="col" class="number">
                  iteration
                </th>
                <th scope="col" class="number">
                  mAP
                </th>
                {canCompare && <th scope="col">compare</th>}
              </tr>
            </thead>
            <tbody>
              {list.runs.map(({ run, state, method, bits, iteration, iterations, mAP }) => (
                <tr key={run}>
                  <th scope="row">
                    <a href={`#/run/${encodeURIComponent(run)}`}>{run}</a>
                  </th>
                  <td data-label="state">
                    <span class={`badge ${state}`}>{wordsOfState(state)}</span>
                  </td>
                  <td data-label="method">{method}</td>
                  <td data-label="bits" class="number">
                    {bits}
                  </td>
                  <td data-label="iteration" class="number">
                    {iteration} of {iterations}
                  </td>
                  <td data-label="mAP" class="number">
                    {wordsOfPrecision(mAP)}
                  </td>
                  {canCompare && (
                    <td data-label="compare">
                      <input
                        type="checkbox"
                        aria-label={`compare ${run}`}
                        checked={chosen.includes(run)}
                        onChange={() => toggle(run)}
                      />
                    </td>
                  )}
                </tr>
              ))}
            </tbody>
          </table>
          {canCompare && (
            <p class="compare">
              {first && second ? (
                <a
                  class="button"
                  href={`#/compare/${encodeURIComponent(first)}/${encodeURIComponent(second)}`}
                >
                  Compare {first} and {second}
                </a>
              ) : (
                <span class="quiet">Choose two runs to compare them.</span>
              )}
            </p>
          )}
        </section>
      )}
    </main>
  );
}
