import type { Clock } from '../../clock.js';
import { eventViews } from '../../live/event-views.js';
import { iterationViews, precisionOf } from '../../live/iteration-views.js';
import { LossCurve } from '../../live/loss-curve.js';
import { settingsView } from '../../live/settings-view.js';
import { shortNumber } from '../../live/short-number.js';
import {
  type CheckpointView,
  isOver,
  type RunView,
  type ViewState,
  viewBounds,
  type WorkerView,
} from '../../live/view.js';
import { lossesByTerm, lossTermsOf } from '../../model/loss.js';
import type { TrainingRun } from '../../run/training-run.js';
import type { RunEvent } from '../../transport/events/run-event.js';
import type { Member } from '../dispatch/member.js';
import type { Waiting } from '../dispatch/pool.js';
import type { RunStatus } from '../leadership/run-control.js';
import type { RunState } from '../training/run-state.js';
import type { CoordinatorEvent } from './coordinator-event.js';
import type { RemainingTime } from './remaining-time.js';
import { WorkerPace } from './worker-pace.js';

export interface LiveRunSources {
  readonly run: TrainingRun;
  readonly term: number;
  readonly stepsPerEpoch: number;
  readonly state: Pick<RunState, 'position' | 'history' | 'seconds' | 'images'>;
  /** The checkpoint from which the run was resumed; null when it began anew. */
  readonly restoredFrom: { readonly name: string; readonly created: Date } | null;
  /** Must receive each event before this does. */
  readonly remaining: RemainingTime;
  readonly clock: Pick<Clock, 'nowMs' | 'date'>;
  members(): readonly Member[];
  waiting(): Waiting | null;
  /** The last events of the run, oldest first. */
  events(): readonly RunEvent[];
  /** What control says; null before control is open. */
  controlState(): RunStatus['state'] | null;
  /** Whether the page may control the run. */
  readonly control: boolean;
}

/** What is shown of the run that this process coordinates: built from its events and its state. */
export class LiveRun {
  private readonly losses: LossCurve;
  private readonly pace = new WorkerPace();
  private checkpoints: readonly CheckpointView[] = [];
  private activity: RunView['activity'] = null;
  private isPreparing = false;
  private lastStep: { readonly images: number; readonly seconds: number } | null = null;

  constructor(private readonly sources: LiveRunSources) {
    const { restoredFrom } = sources;
    this.losses = new LossCurve(lossTermsOf(sources.run.spec.method));
    if (restoredFrom) {
      this.checkpoints = [{ name: restoredFrom.name, writtenMs: restoredFrom.created.getTime() }];
    }
  }

  take(event: CoordinatorEvent): void {
    const { state, clock } = this.sources;
    switch (event.type) {
      case 'step.done':
        this.activity = null;
        this.lastStep = { images: event.images, seconds: event.seconds };
        this.losses.add(state.position.globalStep, event.losses);
        this.pace.sample(this.sources.members(), clock.nowMs());
        break;
      case 'encoding': {
        const { what, done, total } = event;
        this.activity = done < total ? { what, done, total } : null;
        break;
      }
      case 'untrained.begun':
        this.isPreparing = true;
        break;
      case 'untrained.measured':
        this.isPreparing = false;
        break;
      case 'codes.updated':
      case 'evaluated':
        this.activity = null;
        break;
      case 'checkpoint.written':
        this.checkpointWritten({ name: event.name, writtenMs: clock.date().getTime() });
        break;
    }
  }

  /** A checkpoint replaces an earlier one of the same step, such as that before an evaluation. */
  private checkpointWritten(written: CheckpointView): void {
    const others = this.checkpoints.filter(({ name }) => name !== written.name);
    this.checkpoints = [...others, written].slice(-viewBounds.checkpoints);
  }

  view(): RunView {
    const { run, term, state, stepsPerEpoch, remaining, clock } = this.sources;
    const { iteration, epoch, step, globalStep, phase } = state.position;
    const history = state.history.map((record) => ({
      ...record,
      losses: lossesByTerm(run.spec.method, record.losses),
    }));
    const events = this.sources.events().filter((event) => event.term <= term);
    const now = this.stateNow(events.at(-1));
    const secondsLeft = remaining.secondsFrom(state.position);
    return {
      run: run.metadata.name,
      term,
      state: now.state,
      reason: now.reason,
      waitsFor: this.waitsFor(now.state),
      ...settingsView(run),
      iteration,
      stepsPerEpoch,
      position: { epoch, step, globalStep, phase },
      activity: isOver(now.state) ? null : this.activity,
      secondsLeft: secondsLeft === null || isOver(now.state) ? null : Math.round(secondsLeft),
      imagesPerSecond: this.imagesPerSecond(now.state),
      seconds: Math.round(state.seconds),
      ...precisionOf(history),
      iterationsDone: iterationViews(history),
      losses: this.losses.view(),
      workers: this.workers(clock.nowMs(), clock.date().getTime()),
      events: eventViews(events),
      checkpoints: this.checkpoints,
      control: this.sources.control,
    };
  }

  private stateNow(last: RunEvent | undefined): {
    readonly state: ViewState;
    readonly reason: string | null;
  } {
    const { state, term } = this.sources;
    if (last?.term === term) {
      if (last.type === 'run.failed') return { state: 'failed', reason: last.reason };
      if (last.type === 'run.finished') return { state: 'finished', reason: null };
      if (last.type === 'run.interrupted') return { state: 'interrupted', reason: null };
    }
    const asked = this.sources.controlState();
    const isAsked = asked === 'stopping' || asked === 'pausing' || asked === 'paused';
    if (isAsked) return { state: asked, reason: null };
    if (this.sources.waiting()) return { state: 'waiting', reason: null };
    if (this.isPreparing) return { state: 'preparing', reason: null };
    const { phase, epoch } = state.position;
    const { epochs } = this.sources.run.spec.schedule;
    // The codes of an iteration are made after its last epoch.
    const isEvaluating = phase === 'evaluate' || (epochs > 0 && epoch >= epochs);
    if (isEvaluating) return { state: 'evaluating', reason: null };
    return { state: epochs === 0 ? 'preparing' : 'training', reason: null };
  }

  private imagesPerSecond(state: ViewState): number | null {
    const { images, seconds } = this.sources.state;
    if (state === 'finished') return images > 0 ? shortNumber(images / seconds) : null;
    const trains = state === 'training' || state === 'pausing' || state === 'stopping';
    return trains ? this.lastStep && shortNumber(this.lastStep.images / this.lastStep.seconds) : null;
  }

  private waitsFor(state: ViewState): string | null {
    if (state === 'paused') return 'to be continued';
    const waiting = this.sources.waiting();
    if (waiting === null || isOver(state)) return null;
    const missing = waiting.needed - waiting.present;
    const present = `${waiting.present} of ${waiting.needed} are there`;
    return `for ${missing} more ${missing === 1 ? 'worker' : 'workers'} (${present}), since ${waiting.since.toISOString().slice(0, 19)}Z`;
  }

  private workers(nowMs: number, dateMs: number): WorkerView[] {
    const { microbatches } = this.sources.run.spec.schedule;
    const perMicrobatch = this.lastStep && this.lastStep.images / microbatches;
    const members = this.sources.members();
    this.pace.sample(members, nowMs);
    return members.map((member) => {
      const pace = this.pace.of(member, nowMs);
      const { slot, name, state, engine, overdue, lastHeardAtMs } = member;
      return {
        slot,
        name,
        state,
        device: engine?.device ?? null,
        engine: engine && `${engine.name} ${engine.version}`,
        imagesPerSecond: pace && perMicrobatch && shortNumber(pace.microbatchesPerSecond * perMicrobatch),
        answerSeconds: pace?.answerSeconds == null ? null : shortNumber(pace.answerSeconds),
        overdue,
        lastHeardMs: Math.round(dateMs - (nowMs - lastHeardAtMs)),
      };
    });
  }
}
