import type { Console } from '../../console/console.js';
import type { ProgressTask } from '../../console/progress.js';
import type { TrainingRunSpec } from '../../run/training-run.js';
import type { RunState } from '../training/run-state.js';
import type { CoordinatorEvent, Subscriber } from './coordinator-event.js';
import type { RemainingTime } from './remaining-time.js';

export interface ProgressLogOptions {
  readonly console: Console;
  readonly spec: TrainingRunSpec;
  readonly state: Pick<RunState, 'position'>;
  readonly stepsPerEpoch: number;
  /** Must receive each step before this log. */
  readonly remaining: RemainingTime;
}

/** Shows the progress of a run on the console. Logs evaluations, and events that are not normal. */
export function progressLog(options: ProgressLogOptions): Subscriber {
  const log = new ProgressLog(options);
  return (event) => log.take(event);
}

class ProgressLog {
  private readonly totalSteps: number;
  private training: ProgressTask | null = null;
  private encoding: ProgressTask | null = null;
  private lastMAP: number | null = null;
  /** Workers in the exchange of the last step; 0 in the star. */
  private exchanging = 0;
  /** Whether any work was done. Before that, a log line of the start already says that workers are missing. */
  private hasBegun = false;

  constructor(private readonly options: ProgressLogOptions) {
    const { iterations, epochs } = options.spec.schedule;
    this.totalSteps = iterations * epochs * options.stepsPerEpoch;
  }

  take(event: CoordinatorEvent): void {
    const { log } = this.options.console;
    switch (event.type) {
      case 'step.done':
        this.showStep(event);
        break;
      case 'encoding':
        this.showEncoding(event);
        break;
      case 'learning.begun':
        log.info('learning the hash function from features', { method: event.method });
        break;
      case 'untrained.begun':
        log.info(
          'measuring untrained features, which the codes have to beat: colour histograms, and random projections ' +
            'of the features that training starts from',
        );
        break;
      case 'untrained.measured':
        log.info('untrained features measured, as mAP', { ...event.figures });
        break;
      case 'codes.updated': {
        const { iteration, flippedBits, seconds } = event;
        log.info('database codes updated', { iteration, flippedBits, seconds });
        break;
      }
      case 'objective': {
        const { iteration, bit, value } = event;
        log.info('objective', { iteration, bit, value });
        break;
      }
      case 'evaluated': {
        const { queries, mAP, tieAveragedMAP, precisionAt } = event.evaluation;
        this.lastMAP = mAP;
        log.info('evaluated', { iteration: event.iteration, mAP, tieAveragedMAP, precisionAt, queries });
        break;
      }
      case 'checkpoint.written': {
        const { name, bytes, seconds } = event;
        log.info('checkpoint written', { name, bytes, seconds });
        break;
      }
      case 'paused':
        this.showPause(event.isPaused);
        break;
      case 'work.redispatched':
        log.warn(`${event.work} handed out again`, { count: event.units, reason: event.departure.reason });
        break;
      case 'work.overdue':
        log.warn('a worker is late; others compute the same', {
          worker: event.member.label,
          [event.work]: event.units,
        });
        break;
      case 'work.compared':
        if (event.outcome === 'contradiction') {
          log.error('workers contradict each other', { of: event.work, number: event.unit });
        }
        break;
      case 'exchange.used':
        this.showWay(event.members);
        break;
      case 'exchange.blocked':
        log.warn('most pairs of workers cannot connect; they send their gradients here', {
          blocked: event.blocked,
          pairs: event.pairs,
          remedy: 'open the port of --peer-listen between the machines of the workers, which go on trying',
        });
        break;
      case 'exchange.given-up':
        log.warn(
          'the exchange of gradients failed; the step is computed again, with the gradients sent here',
          {
            reason: event.reason,
          },
        );
        break;
      case 'worker.unreachable':
        log.warn('the coordinator cannot reach a worker; its ranges go over its own connection', {
          worker: event.member.label,
          reason: event.reason,
        });
        break;
      case 'worker.reached':
        log.info('the coordinator reaches a worker again', { worker: event.member.label });
        break;
      case 'peer.unreachable':
        log.warn('a worker cannot reach another; what is for it goes through the coordinator', {
          worker: event.member.label,
          peer: event.peer.label,
          reason: event.reason,
        });
        break;
      case 'peer.reached':
        log.info('a worker reaches another again', { worker: event.member.label, peer: event.peer.label });
        break;
      case 'work.waiting':
        if (!this.hasBegun) break;
        log.warn('too few workers are there; waiting for more');
        (this.encoding ?? this.training)?.hold('waiting for workers');
        break;
      case 'answer.rejected':
        log.warn('answer rejected', { worker: event.member.label, reason: event.sentence });
        break;
    }
  }

  /** Says how gradients travel when it changes. At first they come here. */
  private showWay(exchanging: number): void {
    if (exchanging === this.exchanging) return;
    this.exchanging = exchanging;
    const { log } = this.options.console;
    if (exchanging > 0) log.info('workers exchange gradients among themselves', { workers: exchanging });
    else log.info('workers send their gradients to the coordinator');
  }

  private showStep({ losses, seconds, images }: Extract<CoordinatorEvent, { type: 'step.done' }>): void {
    const { spec, state, remaining } = this.options;
    const { globalStep, iteration } = state.position;
    this.hasBegun = true;
    const task = this.trainingTask();
    task.update(
      globalStep,
      {
        loss: losses.reduce((sum, term) => sum + term, 0),
        ...(this.lastMAP === null ? {} : { mAP: this.lastMAP }),
        iteration: `${iteration + 1}/${spec.schedule.iterations}`,
        imagesPerSecond: Math.round(images / seconds),
      },
      { perSecond: remaining.stepsPerSecond, secondsLeft: remaining.secondsFrom(state.position) },
    );
    if (globalStep < this.totalSteps) return;
    task.finish();
    this.training = null;
  }

  private showEncoding({ what, done, total }: Extract<CoordinatorEvent, { type: 'encoding' }>): void {
    this.hasBegun = true;
    this.encoding ??= this.options.console.startTask({ name: what, total, unit: 'images' });
    this.encoding.update(done);
    if (done < total) return;
    this.encoding.finish();
    this.encoding = null;
  }

  private showPause(isPaused: boolean): void {
    const { console, state } = this.options;
    const what = isPaused ? 'paused' : 'going on';
    console.log.info(what);
    if (this.training || state.position.globalStep < this.totalSteps) this.trainingTask().hold(what);
  }

  private trainingTask(): ProgressTask {
    this.training ??= this.options.console.startTask({
      name: 'training',
      total: this.totalSteps,
      unit: 'steps',
    });
    return this.training;
  }
}
