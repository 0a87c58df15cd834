import type { CheckpointView, EventView, RunView } from '../live/view.js';
import { wordsOfNumber, wordsOfPrecision, wordsOfSeconds } from '../live/words.js';
import { Scroll } from './scroll.js';

/** The last events, the newest first. */
export function Events({ events }: { readonly events: readonly EventView[] }) {
  const newestFirst = [...events].reverse();
  return (
    <section class="card">
      <h2>Events</h2>
      {events.length === 0 ? (
        <p class="empty">Nothing has happened yet.</p>
      ) : (
        // It scrolls, so the keyboard must reach it.
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolled area without a control.
        <ol class="events" tabIndex={0} aria-label="Events, the newest first">
          {newestFirst.map(({ term, sequence, time, type, text }) => (
            <li key={`${term}-${sequence}`} class={toneOf(type)}>
              <time dateTime={time}>{timeText(time)}</time> {text}
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

function toneOf(type: string): string {
  return /failed|left|refused|set-aside|unreachable|interrupted/.test(type) ? 'warning' : '';
}

function timeText(time: string): string {
  return new Date(time).toLocaleString(undefined, {
    month: 'short',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
}

interface CheckpointsProps {
  readonly checkpoints: readonly CheckpointView[];
  readonly nowMs: number;
}

/** The last checkpoints, the newest first. */
export function Checkpoints({ checkpoints, nowMs }: CheckpointsProps) {
  return (
    <section class="card">
      <h2>Checkpoints</h2>
      {checkpoints.length === 0 ? (
        <p class="empty">None is written yet.</p>
      ) : (
        <ol class="checkpoints">
          {[...checkpoints].reverse().map(({ name, writtenMs }) => (
            <li key={name}>
              <code>{name}</code> <span class="quiet">{wordsOfSeconds((nowMs - writtenMs) / 1000)} ago</span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

/** The numbers behind the curves. */
export function Iterations({ view }: { readonly view: RunView }) {
  const { iterationsDone } = view;
  if (iterationsDone.length === 0) return null;
  const terms = Object.keys(iterationsDone[0]!.losses);
  return (
    <details class="card">
      <summary>Iterations in numbers</summary>
      <Scroll label="Iterations in numbers">
        <table>
          <thead>
            <tr>
              <th scope="col" class="number">
                iteration
              </th>
              <th scope="col" class="number">
                mAP
              </th>
              {terms.map((term) => (
                <th scope="col" class="number" key={term}>
                  {term}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {iterationsDone.map(({ iteration, mAP, losses }) => (
              <tr key={iteration}>
                <th scope="row" class="number">
                  {iteration}
                </th>
                <td class="number">{wordsOfPrecision(mAP)}</td>
                {terms.map((term) => (
                  <td class="number" key={term}>
                    {wordsOfNumber(losses[term] ?? null)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </details>
  );
}

export function Settings({ settings }: { readonly settings: RunView['settings'] }) {
  return (
    <details class="card">
      <summary>Settings</summary>
      <dl class="settings">
        {Object.entries(settings).map(([path, value]) => (
          <div key={path}>
            <dt>{path}</dt>
            <dd>{typeof value === 'string' ? value : JSON.stringify(value)}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
