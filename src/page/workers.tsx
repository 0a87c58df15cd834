import { useState } from 'preact/hooks';
import type { RunView, WorkerView } from '../live/view.js';
import { wordsOfNumber, wordsOfSeconds } from '../live/words.js';
import { Confirmation } from './confirmation.js';

interface WorkersProps {
  readonly view: RunView;
  readonly nowMs: number;
  /** Whether requests can be sent now. */
  readonly isLive: boolean;
}

export function Workers({ view, nowMs, isLive }: WorkersProps) {
  const { workers, control } = view;
  const [drained, setDrained] = useState<WorkerView | null>(null);
  const canDrain = control && isLive;
  return (
    <section class="card">
      <h2>
        Workers <span class="count">{workers.length}</span>
      </h2>
      {workers.length === 0 ? (
        <p class="empty">No worker is there.</p>
      ) : (
        <table class="workers">
          <thead>
            <tr>
              <th scope="col">worker</th>
              <th scope="col">state</th>
              <th scope="col">device</th>
              <th scope="col" class="number">
                images/s
              </th>
              <th scope="col" class="number">
                time of an answer
              </th>
              <th scope="col" class="number">
                last message
              </th>
              {canDrain && <th scope="col">control</th>}
            </tr>
          </thead>
          <tbody>
            {workers.map((worker) => (
              <tr key={worker.slot}>
                <th scope="row">
                  {worker.slot} <span class="name">{worker.name}</span>
                </th>
                <td data-label="state">
                  <span>
                    {worker.state}
                    {worker.overdue > 0 && <span class="late"> late</span>}
                  </span>
                </td>
                <td data-label="device">
                  <span>
                    {worker.device ?? '–'}
                    {worker.engine && <span class="quiet"> {worker.engine}</span>}
                  </span>
                </td>
                <td data-label="images/s" class="number">
                  {wordsOfNumber(worker.imagesPerSecond, 3)}
                </td>
                <td data-label="time of an answer" class="number">
                  {worker.answerSeconds === null ? '–' : `${wordsOfNumber(worker.answerSeconds, 2)} s`}
                </td>
                <td data-label="last message" class="number">
                  {wordsOfSeconds((nowMs - worker.lastHeardMs) / 1000)} ago
                </td>
                {canDrain && (
                  <td data-label="control">
                    <button type="button" onClick={() => setDrained(worker)}>
                      Drain<span class="hidden"> worker {worker.name}</span>
                    </button>
                  </td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {drained !== null && (
        <Confirmation
          run={view.run}
          request={{ command: 'drain', worker: String(drained.slot) }}
          title={`Drain worker ${drained.slot} (${drained.name})?`}
          onClose={() => setDrained(null)}
        />
      )}
    </section>
  );
}
