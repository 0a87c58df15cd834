import { WriteAttempt } from '../../src/checkpoint/attempt.js';
import { secondsOf } from '../../src/clock.js';
import { ExpectedAnswers } from '../../src/coordinator/dispatch/expected-answers.js';
import { GradientWork } from '../../src/coordinator/dispatch/gradient-work.js';
import { Lateness } from '../../src/coordinator/dispatch/lateness.js';
import { OutgoingWeights } from '../../src/coordinator/dispatch/outgoing-weights.js';
import { WorkerPool } from '../../src/coordinator/dispatch/pool.js';
import { Strikes } from '../../src/coordinator/dispatch/strikes.js';
import { Witnesses } from '../../src/coordinator/dispatch/witnesses.js';
import { type HeldShare, WorkShares } from '../../src/coordinator/dispatch/work-shares.js';
import { ExchangedWork } from '../../src/coordinator/exchange/exchanged-work.js';
import { RangeChecks } from '../../src/coordinator/exchange/range-checks.js';
import { WeightsDistribution } from '../../src/coordinator/exchange/weights-distribution.js';
import type { NodePayload } from '../../src/reduction/payload.js';
import { StepReduction } from '../../src/reduction/step-reduction.js';
import type { TreeNode } from '../../src/reduction/tree.js';
import { RunDirectory } from '../../src/run/run-directory.js';

// biome-ignore lint/suspicious/noExplicitAny: a planted fault reaches what is private.
type Anything = any;

/** Faults as programmers make them, to be planted one at a time: what each breaks, and how. @returns how to mend it */
export const plants: Readonly<Record<string, () => () => void>> = {
  'an answer that comes late is counted a second time': () =>
    mend(
      replace(WorkShares, 'owes', () => () => true),
      replace(
        StepReduction,
        'fill',
        () =>
          function (this: Anything, node: TreeNode, payload: unknown) {
            const { frontier, tree, merge } = this;
            const held = frontier.get(`${node.level}/${node.index}`);
            const isThere = !this.missingLeaves().some((leaf: number) =>
              tree.leavesUnder(node).includes(leaf),
            );
            if (held && isThere) held.payload = merge(held.payload, payload);
            else this.promote(node, payload);
            return true;
          },
      ),
    ),
  'a node is filled and derived: its parts are added to the whole': () =>
    replace(
      StepReduction,
      'fill',
      (original) =>
        function (this: Anything, node: TreeNode, payload: NodePayload) {
          let sum = payload;
          for (const held of this.frontier.values()) {
            const { level, index } = held.node;
            const isPart = level < node.level && index >> (node.level - level) === node.index;
            if (isPart) sum = { ...this.merge(sum, held.payload), u: payload.u };
          }
          return original.call(this, node, sum);
        },
    ),
  'strikes are forgotten': () => replace(Strikes, 'count', () => () => false),
  '`latest` moves before the checkpoint is there': () =>
    replace(
      WriteAttempt,
      'writeFiles',
      (original) =>
        async function (this: Anything, name: string, ...rest: unknown[]) {
          await this.point('latest', name);
          return original.call(this, name, ...rest);
        },
    ),
  'a coordinator that was replaced does not notice': () => replace(RunDirectory, 'isHeld', () => () => true),
  'what a lost worker held is never handed out again': () => {
    const lost = new WeakMap<object, Set<number>>();
    return mend(
      replace(
        WorkShares,
        'drop',
        (original) =>
          function (this: object, worker: unknown) {
            const units = original.call(this, worker) as number[];
            lost.set(this, new Set([...(lost.get(this) ?? []), ...units]));
            return units;
          },
      ),
      replace(
        WorkShares,
        'allInTime',
        (original) =>
          function (this: object) {
            return new Set([...(original.call(this) as Set<number>), ...(lost.get(this) ?? [])]);
          },
      ),
    );
  },
  'a digest is compared with itself': () =>
    replace(
      Witnesses,
      'verdict',
      () =>
        function (this: Anything, unit: number) {
          return { kind: this.countOf(unit) > 1 ? 'agreed' : 'alone' };
        },
    ),
  'an encode answer of another request is taken': () =>
    mend(
      replace(WorkerPool, 'nextRequest', () => () => 1),
      // The newest request is asked first. It takes every answer to a batch number that the worker owes it.
      replace(
        ExpectedAnswers,
        'expect',
        (original) =>
          function (this: Anything, result: unknown) {
            return original.call({ ...this, takers: [...this.takers].reverse() }, result);
          },
      ),
    ),
  'weights go to each worker only once': () =>
    replace(
      OutgoingWeights,
      'sendTo',
      (original) =>
        function (this: Anything, member: Anything) {
          return member.weightsVersion === null ? original.call(this, member) : Promise.resolve();
        },
    ),
  'the time that the network takes counts as lateness': () =>
    mend(
      replace(WorkShares, 'left', () => () => {}),
      replace(Lateness, 'comesFirst', () => () => false),
      replace(
        Lateness,
        'isLate',
        () =>
          function (this: Anything, _: unknown, share: HeldShare) {
            return secondsOf(this.clock) - share.movedAtSeconds >= this.deadlines.secondsFor(share.units);
          },
      ),
    ),
  'the exchange counts on what a lost worker held': () => replace(ExchangedWork, 'drop', () => () => {}),
  'the exchange keeps a sum with a wrong gradient in it': () =>
    replace(
      ExchangedWork,
      'discard',
      () =>
        function (this: Anything, members: readonly unknown[]) {
          this.drop(members);
        },
    ),
  'weights sent ahead with a wrong answer in them are used': () =>
    replace(WeightsDistribution, 'spoil', () => () => {}),
  'sums on their way over a call that breaks are not asked for again': () =>
    replace(ExchangedWork, 'askAgain', () => () => {}),
  'sums that are compared always agree': () =>
    replace(
      RangeChecks,
      'take',
      (original) =>
        function (this: Anything, member: unknown, result: unknown, _: unknown, first: Anything) {
          return original.call(this, member, result, first.bytes, first) && { kind: 'agreed', wrong: [] };
        },
    ),
  'ranges of a lost owner are left to it': () =>
    replace(
      ExchangedWork,
      'change',
      () =>
        function (this: Anything, members: Anything[]) {
          const gone = this.members.filter((member: unknown) => !members.includes(member));
          this.members = members;
          this.participants.tell(members);
          this.distribution.join(members);
          this.drop(gone);
          this.tellPlan();
          this.reduceWhenCovered();
        },
    ),
  'a gradient that is not finite is taken': () => replace(GradientWork, 'implausible', () => () => null),
};

function replace(
  type: { readonly prototype: object },
  method: string,
  make: (original: Anything) => unknown,
): () => void {
  const prototype = type.prototype as Anything;
  const original = prototype[method];
  prototype[method] = make(original);
  return () => {
    prototype[method] = original;
  };
}

function mend(...menders: (() => void)[]): () => void {
  return () => {
    for (const each of menders) each();
  };
}
