import type { RunPosition } from '../../checkpoint/manifest.js';
import type { FileEvent } from '../../formats/event-file.js';
import { lossesByTerm } from '../../model/loss.js';
import type { TrainingRunSpec } from '../../run/training-run.js';
import { learningRateAt } from '../../schedule/schedule.js';
import type { RunState } from '../training/run-state.js';
import type { Subscriber } from './coordinator-event.js';

/**
 * Writes the scalars of a run for TensorBoard. Their steps are optimiser steps since the start of the run.
 * @param nowMs Unix time
 */
export function tensorboardScalars(
  {
    spec,
    state,
  }: {
    readonly spec: Pick<TrainingRunSpec, 'schedule' | 'method'>;
    readonly state: Pick<RunState, 'position'>;
  },
  write: (event: FileEvent) => void,
  nowMs: () => number,
): Subscriber {
  const scalars = (values: Readonly<Record<string, number>>) =>
    write({
      seconds: nowMs() / 1000,
      step: state.position.globalStep,
      content: { kind: 'scalars', values },
    });
  return (event) => {
    switch (event.type) {
      case 'step.done': {
        const losses = [...event.losses];
        scalars({
          'loss/total': losses.reduce((sum, loss) => sum + loss, 0),
          ...underName('loss', lossesByTerm(spec.method, losses)),
          learning_rate: learningRateAt(spec.schedule, state.position.iteration),
          ...(event.gradientNorm !== null && { gradient_norm: event.gradientNorm }),
          'speed/images_per_second': event.images / event.seconds,
          'speed/step_seconds': event.seconds,
        });
        break;
      }
      case 'codes.updated':
        scalars({ 'codes/flipped_bits': event.flippedBits, 'speed/v_step_seconds': event.seconds });
        break;
      case 'evaluated': {
        const { mAP, tieAveragedMAP, precisionAt } = event.evaluation;
        scalars({
          'evaluation/mAP': mAP,
          'evaluation/mAP_ties_averaged': tieAveragedMAP,
          ...underName('evaluation/precision_at', precisionAt),
          'speed/evaluation_seconds': event.seconds,
        });
        break;
      }
    }
  };
}

function underName(name: string, values: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [`${name}/${key}`, value]));
}

/**
 * Whether an event belongs to a run's state at a position. The V-step and the evaluation of an iteration have the step
 * number of its last step, so the tags tell them apart from what comes again.
 */
export function isDoneAt(position: RunPosition): (event: FileEvent) => boolean {
  const { globalStep, iteration, epoch, step, phase } = position;
  const iterationIsDone = iteration > 0 && epoch === 0 && step === 0 && phase === 'train';
  return ({ step: ofEvent, content }) => {
    if (content.kind !== 'scalars' && content.kind !== 'image') return true;
    if (ofEvent !== globalStep) return ofEvent < globalStep;
    const tags = content.kind === 'image' ? [content.tag] : Object.keys(content.values);
    const comesAgain = (group: string) => tags.some((tag) => tag.startsWith(`${group}/`));
    if (comesAgain('evaluation')) return iterationIsDone;
    if (comesAgain('codes')) return iterationIsDone || phase === 'evaluate';
    return true;
  };
}
