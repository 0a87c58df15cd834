import { useEffect, useMemo } from 'preact/hooks';
import { isOver, type RunView } from '../live/view.js';
import {
  shareDone,
  totalSteps,
  wordsOfNumber,
  wordsOfPosition,
  wordsOfPrecision,
  wordsOfSeconds,
  wordsOfSettings,
  wordsOfState,
} from '../live/words.js';
import { Chart } from './chart.js';
import { Controls } from './controls.js';
import { LinkState } from './link-state.js';
import { Checkpoints, Events, Iterations, Settings } from './lists.js';
import { PrecisionChart } from './precision-chart.js';
import { lossSeries, precisionSeries } from './series.js';
import { useRun } from './use-run.js';
import { Workers } from './workers.js';

/** Everything about one run. */
export function RunPage({ name, isOneOfMany }: { readonly name: string; readonly isOneOfMany: boolean }) {
  const { view, link, nowMs } = useRun(name);
  useEffect(() => {
    document.title = view ? `${view.run}: ${wordsOfState(view.state)}` : name;
  }, [name, view]);
  return (
    <main>
      {isOneOfMany && (
        <nav>
          <a href="#/">All runs</a>
        </nav>
      )}
      <header>
        <h1>{view?.run ?? name}</h1>
        {view && <p class="settings-line">{wordsOfSettings(view)}</p>}
      </header>
      <LinkState
        link={link}
        nowMs={nowMs}
        isRunOver={view !== null && isOver(view.state)}
        server={isOneOfMany ? 'server of this page' : 'coordinator'}
      />
      {view && (
        <Sections view={view} nowMs={nowMs} isStale={link.kind === 'gone' || link.kind === 'refused'} />
      )}
    </main>
  );
}

interface SectionsProps {
  readonly view: RunView;
  readonly nowMs: number;
  /** Whether this is only what was known last. */
  readonly isStale: boolean;
}

function Sections({ view, nowMs, isStale }: SectionsProps) {
  const precision = useMemo(() => precisionSeries(view), [view]);
  const losses = useMemo(() => lossSeries(view), [view]);
  const isLive = !isStale && !isOver(view.state);
  return (
    <div class={isStale ? 'stale' : ''}>
      <State view={view} />
      {view.control && isLive && <Controls view={view} />}
      <div class="columns">
        <PrecisionChart series={precision} />
        <Chart
          title="Losses"
          xLabel="step"
          series={losses}
          empty={view.epochs === 0 ? 'This method trains no network.' : 'No step is done yet.'}
        />
      </div>
      {!isOver(view.state) && <Workers view={view} nowMs={nowMs} isLive={isLive} />}
      <div class="columns">
        <Events events={view.events} />
        <div>
          <Checkpoints checkpoints={view.checkpoints} nowMs={nowMs} />
          <Iterations view={view} />
          <Settings settings={view.settings} />
        </div>
      </div>
    </div>
  );
}

function State({ view }: { readonly view: RunView }) {
  const { state, reason, waitsFor, activity, position, secondsLeft, imagesPerSecond, mAP, bestMAP, seconds } =
    view;
  const percent = Math.floor(100 * shareDone(view));
  const steps = totalSteps(view);
  return (
    <section class="card state" aria-label="State">
      <p class="now">
        <span class={`badge ${state}`} role="status">
          {wordsOfState(state)}
        </span>
        <span>{wordsOfPosition(view)}</span>
      </p>
      {reason !== null && <p class="reason">{reason}</p>}
      {waitsFor !== null && <p class="waits">The run waits {waitsFor}.</p>}
      {activity !== null && (
        <p>
          {activity.what}: {activity.done} of {activity.total} images
        </p>
      )}
      <progress max={100} value={percent} aria-label={`${percent} % of the run is done`} />
      <dl class="figures">
        <Figure name="done" value={`${percent} %`} />
        <Figure name="time left" value={secondsLeft === null ? '–' : wordsOfSeconds(secondsLeft)} />
        <Figure name="steps" value={steps > 0 ? `${position.globalStep} of ${steps}` : '–'} />
        <Figure name="mAP" value={wordsOfPrecision(mAP)} />
        <Figure name="best mAP" value={wordsOfPrecision(bestMAP)} />
        <Figure name="images/s" value={wordsOfNumber(imagesPerSecond, 3)} />
        <Figure name="time trained" value={wordsOfSeconds(seconds)} />
      </dl>
    </section>
  );
}

function Figure({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
