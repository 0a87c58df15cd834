import type { RunView, ViewState } from './view.js';

/** Sentences about a run that the page shares with the terminal and the report. */

/** Said beside losses of runs with different methods. */
export const lossesDiffer =
  'Each method has a loss of its own: compare how the lines fall, not their heights.';

const stateWords: Readonly<Record<ViewState, string>> = {
  waiting: 'waiting for workers',
  preparing: 'preparing',
  training: 'training',
  evaluating: 'making and evaluating codes',
  pausing: 'pausing after the current step',
  paused: 'paused',
  stopping: 'stopping',
  finished: 'finished',
  interrupted: 'interrupted',
  failed: 'failed',
};

export function wordsOfState(state: ViewState): string {
  return stateWords[state];
}

/** All optimiser steps of the run. */
export function totalSteps({ iterations, epochs, stepsPerEpoch }: RunView): number {
  return iterations * epochs * stepsPerEpoch;
}

/** Share of the run that is done, from 0 to 1. Only a finished run has 1: the codes are evaluated after the last step. */
export function shareDone(view: RunView): number {
  if (view.state === 'finished') return 1;
  const steps = totalSteps(view);
  return Math.min(0.99, steps > 0 ? view.position.globalStep / steps : view.iteration / view.iterations);
}

/** The position, counted from 1, such as `iteration 3 of 7, epoch 2 of 4, step 5 of 16`. */
export function wordsOfPosition(view: RunView): string {
  const { iteration, iterations, epochs, stepsPerEpoch, position } = view;
  if (iteration >= iterations)
    return iterations === 1 ? 'the iteration is done' : `all ${iterations} iterations are done`;
  const within =
    position.phase === 'evaluate' || epochs === 0
      ? ''
      : position.epoch >= epochs
        ? ', its codes'
        : `, epoch ${position.epoch + 1} of ${epochs}, step ${position.step + 1} of ${stepsPerEpoch}`;
  return `iteration ${iteration + 1} of ${iterations}${within}`;
}

/** The method and its main settings in one line. */
export function wordsOfSettings({ method, bits, backbone, seed }: RunView): string {
  return `${method}, ${bits} ${bits === 1 ? 'bit' : 'bits'}, ${backbone}, seed ${seed}`;
}

/** A duration of two units at most, such as `2 h 5 min`; negative ones count as 0. */
export function wordsOfSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return two(minutes, 'min', whole % 60, 's');
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return two(hours, 'h', minutes % 60, 'min');
  return two(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

function two(many: number, unit: string, rest: number, lesser: string): string {
  return rest === 0 ? `${many} ${unit}` : `${many} ${unit} ${rest} ${lesser}`;
}

/** A number with as many digits as a reader needs; a dash for none. */
export function wordsOfNumber(value: number | null, digits = 4): string {
  if (value === null) return '–';
  if (!Number.isFinite(value)) return String(value);
  return Math.abs(value) >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(digits)));
}

/** Mean average precision with four digits after the point; a dash for none. */
export function wordsOfPrecision(mAP: number | null): string {
  return mAP === null ? '–' : mAP.toFixed(4);
}
