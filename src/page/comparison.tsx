import { useEffect, useMemo } from 'preact/hooks';
import type { RunView } from '../live/view.js';
import {
  lossesDiffer,
  wordsOfPosition,
  wordsOfPrecision,
  wordsOfSeconds,
  wordsOfState,
} from '../live/words.js';
import { Chart } from './chart.js';
import { LinkState } from './link-state.js';
import { PrecisionChart } from './precision-chart.js';
import { besideEachOther, differences, lossSeries, precisionSeries } from './series.js';
import { useRun } from './use-run.js';

/** Two runs: their curves in one chart, and the settings that differ. */
export function Comparison({ first, second }: { readonly first: string; readonly second: string }) {
  const { view: left, link: leftLink, nowMs } = useRun(first);
  const { view: right, link: rightLink } = useRun(second);
  const refused = [leftLink, rightLink].find((link) => link.kind === 'refused');
  const gone = [leftLink, rightLink].find((link) => link.kind === 'gone');
  useEffect(() => {
    document.title = `${first} and ${second}`;
  }, [first, second]);
  return (
    <main>
      <nav>
        <a href="#/">All runs</a>
      </nav>
      <header>
        <h1>
          {first} and {second}
        </h1>
      </header>
      {gone && <LinkState link={gone} nowMs={nowMs} isRunOver={false} server="server of this page" />}
      {left && right ? (
        <div class={gone ? 'stale' : ''}>
          <Both left={left} right={right} />
        </div>
      ) : (
        <p role="status">{refused ? `The server says: ${refused.sentence}.` : 'Loading…'}</p>
      )}
    </main>
  );
}

function Both({ left, right }: { readonly left: RunView; readonly right: RunView }) {
  const facts: [string, (view: RunView) => string][] = [
    ['state', (view) => wordsOfState(view.state)],
    ['position', wordsOfPosition],
    ['mAP', (view) => wordsOfPrecision(view.mAP)],
    ['best mAP', (view) => wordsOfPrecision(view.bestMAP)],
    ['time trained', (view) => wordsOfSeconds(view.seconds)],
  ];
  const precision = useMemo(() => besideEachOther(left, right, precisionSeries), [left, right]);
  const losses = useMemo(() => besideEachOther(left, right, lossSeries), [left, right]);
  const different = differences(left, right);
  return (
    <>
      <section class="card">
        <Pairs
          left={left}
          right={right}
          rows={facts.map(([name, text]) => [name, text(left), text(right)])}
        />
      </section>
      <div class="columns">
        <PrecisionChart series={precision} />
        <Chart
          title="Sum of losses"
          xLabel="step"
          series={losses}
          empty={
            left.epochs === 0 && right.epochs === 0
              ? 'These methods train no network.'
              : 'No step is done yet.'
          }
          note={left.method === right.method ? undefined : lossesDiffer}
        />
      </div>
      <section class="card">
        <h2>Settings that differ</h2>
        {different.length === 0 ? (
          <p class="empty">All settings that the result depends on are equal.</p>
        ) : (
          <Pairs left={left} right={right} rows={different} />
        )}
      </section>
    </>
  );
}

interface PairsProps {
  readonly left: RunView;
  readonly right: RunView;
  readonly rows: readonly (readonly [name: string, left: string, right: string])[];
}

function Pairs({ left, right, rows }: PairsProps) {
  return (
    <table class="pairs">
      <thead>
        <tr>
          <td />
          <th scope="col">{left.run}</th>
          <th scope="col">{right.run}</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(([name, first, second]) => (
          <tr key={name}>
            <th scope="row">{breakable(name)}</th>
            <td>{first}</td>
            <td>{second}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** A path of settings, which breaks behind a dot where it does not fit. */
function breakable(path: string) {
  return path.split('.').map((part, at, { length }) =>
    at < length - 1 ? (
      <>
        {part}.<wbr />
      </>
    ) : (
      part
    ),
  );
}
