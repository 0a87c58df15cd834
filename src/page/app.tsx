import { useEffect, useState } from 'preact/hooks';
import type { RunList } from '../live/view.js';
import { decoded } from './address.js';
import { Comparison } from './comparison.js';
import { RunPage } from './run.js';
import { RunTable } from './runs.js';

/** Chooses what is shown by the address: `#/run/NAME`, `#/compare/A/B`, or the list of runs. */
export function App() {
  const hash = useHash();
  const [list, failure] = useRunList();
  const [, place, first, second] = hash.slice(1).split('/').map(decoded);
  if (place === 'compare' && first && second) return <Comparison key={hash} first={first} second={second} />;
  if (place === 'run' && first)
    return <RunPage key={first} name={first} isOneOfMany={list?.server !== 'coordinator'} />;
  if (list === null) {
    return (
      <main>
        <p class="empty" role="status">
          {failure ?? 'Loading…'}
        </p>
      </main>
    );
  }
  if (list.server === 'coordinator') return <RunPage name={list.runs[0]!.run} isOneOfMany={false} />;
  return <RunTable list={list} failure={failure} />;
}

function useHash(): string {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const changed = () => setHash(location.hash);
    addEventListener('hashchange', changed);
    // It may have changed since it was read.
    changed();
    return () => removeEventListener('hashchange', changed);
  }, []);
  return hash;
}

/** The list of runs, or a sentence that says why there is none. */
async function askForRuns(): Promise<RunList | string> {
  try {
    const response = await fetch('/api/runs');
    if (response.ok) return (await response.json()) as RunList;
    return `The server of this page says: ${(await response.text()).trim()}.`;
  } catch {
    // The server may also end in the middle of an answer.
    return 'The server of this page is gone.';
  }
}

/** The list of runs, asked for every 3 s, and why it cannot be had now. */
function useRunList(): [RunList | null, string | null] {
  const [list, setList] = useState<RunList | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  useEffect(() => {
    let timer = 0;
    let isOver = false;
    const ask = async () => {
      const found = await askForRuns();
      if (isOver) return;
      if (typeof found === 'string') setFailure(`${found} Trying again…`);
      else {
        setList(found);
        setFailure(null);
        // A coordinator has one run, whose events come by themselves.
        if (found.server === 'coordinator') return;
      }
      timer = setTimeout(ask, 3_000) as unknown as number;
    };
    void ask();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, []);
  return [list, failure];
}
