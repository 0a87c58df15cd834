import { type CodeSummary, similarityHead } from '../hashing/similarity.js';
import { type Method, ownTerms } from '../methods/methods.js';
import { checkElements } from './error.js';
import type { NetworkLayout } from './layout.js';

/** The terms of ADSH's loss and of its extensions, in the order in which they are computed, summed and shown. */
export const lossTerms = ['similarity', 'quantisation', 'positive', 'augmented'] as const;

/** The terms that add up to a method's loss: `lossTerms`, and behind them those of its own network. */
export function lossTermsOf(method: Method): readonly string[] {
  return [...lossTerms, ...ownTerms(method)];
}

/** Number of terms of the loss of a network's method. */
export function lossTermCount({ own }: Pick<NetworkLayout, 'own'>): number {
  return lossTerms.length + (own?.terms.length ?? 0);
}

/** Losses in the order of `lossTermsOf`, by their names; none where there are none. */
export function lossesByTerm(method: Method, losses: readonly number[]): Record<string, number> {
  const terms = lossTermsOf(method);
  return Object.fromEntries(losses.map((loss, index) => [terms[index]!, loss]));
}

/** Outputs of some rows of a batch, each `[rows, bits]`; null when the method has no such branch. */
export interface Outputs {
  readonly anchor: Float32Array<ArrayBuffer>;
  readonly positive: Float32Array<ArrayBuffer> | null;
  readonly erased: Float32Array<ArrayBuffer> | null;
}

/** Inputs of the loss besides the outputs. */
export interface LossInput {
  /** Classes `[rows]` */
  readonly labels: Int32Array;
  /** The anchors' own database codes `[rows, bits]` */
  readonly ownCodes: Int8Array;
  readonly summary: CodeSummary;
  /** Rows of the whole batch, by which every term is divided. */
  readonly batchRows: number;
  /** Weight of the quantisation term. */
  readonly gamma: number;
  /** Weight of the distance to the positive (equation 9). */
  readonly alpha: number;
  /** Weight of the distance to the erased anchor (equation 9). */
  readonly beta: number;
}

export interface LossResult {
  /** In the order of `lossTerms`; their sum is the loss. */
  readonly losses: Float64Array<ArrayBuffer>;
  /** Derivatives of the loss by the outputs, each `[rows, bits]`. */
  readonly gradients: Outputs;
}

/**
 * The loss (equations 12 and 13, divided as in method 1.11) of some rows of a batch and its gradient with respect to
 * the outputs, in float64. The gradient is rounded once. Losses and gradients of a batch's parts add up to the batch's:
 * [Σᵢⱼ (uᵢ·vⱼ − c Sᵢⱼ)² + γ Σᵢ |vᵢ − uᵢ|²] / (batchRows · n) + [α Σᵢ |uᵢ − uᵢᵖ|² + β Σᵢ |uᵢ − uᵢᵃ|²] / (batchRows · c).
 * The distances have gradients on both sides.
 */
export function computeLoss(outputs: Outputs, input: LossInput): LossResult {
  const { anchor, positive, erased } = outputs;
  const { batchRows, summary, alpha, beta } = input;
  const head = similarityHead(summary, { ...input, u: anchor });
  const total = head.gradient;
  const towardsPositive = positive && distance(anchor, positive, alpha / (batchRows * summary.bits), total);
  const towardsErased = erased && distance(anchor, erased, beta / (batchRows * summary.bits), total);
  return {
    losses: Float64Array.of(
      head.similarity,
      head.quantisation,
      towardsPositive?.term ?? 0,
      towardsErased?.term ?? 0,
    ),
    gradients: {
      anchor: Float32Array.from(total),
      positive: towardsPositive?.gradient ?? null,
      erased: towardsErased?.gradient ?? null,
    },
  };
}

/** weight · Σ |u − other|² (equations 7 and 8). Adds its gradient by u to `total`, returns the gradient by `other`. */
function distance(
  u: Float32Array,
  other: Float32Array,
  weight: number,
  total: Float64Array,
): { term: number; gradient: Float32Array<ArrayBuffer> } {
  checkElements('the second branch of a triplet', other.length, u.length);
  const gradient = new Float32Array(u.length);
  let sum = 0;
  for (let i = 0; i < u.length; i++) {
    const difference = u[i]! - other[i]!;
    sum += difference * difference;
    total[i]! += 2 * weight * difference;
    gradient[i] = -2 * weight * difference;
  }
  return { term: weight * sum, gradient };
}
