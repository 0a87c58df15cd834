import { eventViews } from '../../live/event-views.js';
import { iterationViews, precisionOf } from '../../live/iteration-views.js';
import { noLosses } from '../../live/loss-curve.js';
import { settingsView } from '../../live/settings-view.js';
import { type RunView, type ViewState, viewBounds } from '../../live/view.js';
import { RunDirectory } from '../../run/run-directory.js';
import { startPosition } from '../../schedule/schedule.js';
import type { RunEvent } from '../../transport/events/run-event.js';
import { lastEvents } from '../../transport/events/run-events.js';
import { type RunContent, readRunContent } from '../runs/describe-run.js';

/** What a run's directory says of the run, as of its newest checkpoint. Throws the errors of `readRunContent`. */
export async function storedView(path: string): Promise<RunView> {
  const content = await readRunContent(path);
  const events = lastEvents(RunDirectory.at(path), viewBounds.events);
  const { run, description, iterations, checkpoints } = content;
  const { spec } = run;
  const { iteration, epoch, step, globalStep, phase } = content.position ?? startPosition;
  const last = events.at(-1);
  const state = stateOf(content, last);
  return {
    run: description.run,
    term: last?.term ?? null,
    state,
    reason: state === 'failed' && last?.type === 'run.failed' ? last.reason : null,
    waitsFor: state === 'interrupted' ? 'for --resume' : null,
    ...settingsView(run),
    iteration,
    stepsPerEpoch: Math.ceil(spec.dataset.sampleSize / spec.schedule.batchSize),
    position: { epoch, step, globalStep, phase },
    activity: null,
    secondsLeft: null,
    imagesPerSecond: content.result?.imagesPerSecond ?? null,
    seconds: Math.round(description.seconds ?? 0),
    ...precisionOf(iterations),
    iterationsDone: iterationViews(iterations),
    losses: noLosses,
    workers: [],
    events: eventViews(events),
    checkpoints: [...checkpoints].reverse().slice(-viewBounds.checkpoints),
    control: false,
  };
}

function stateOf({ description, result }: RunContent, last: RunEvent | undefined): ViewState {
  if (result) return 'finished';
  if (description.state === 'running') return 'training';
  return last?.type === 'run.failed' ? 'failed' : 'interrupted';
}
