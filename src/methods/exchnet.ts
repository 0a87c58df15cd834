import type { TrainedMethod } from './method.js';

/**
 * ExchNet (Cui, Jiang, Wei, Li and Yoshie, ECCV 2020): a hash layer on M local features and a global one, of which the
 * local ones are aligned within a class by an exchange.
 *
 * - Network. E is the feature map of the backbone without its last stage. Attention maps Aʲ, j = 1…M, come from the
 *   last stage without its stride and a 1 × 1 convolution to M channels. Local feature maps are Fʲ = stage(E ∘ Aʲ) and
 *   the global one is F = stage′(E), each with weights of its own; fʲ and f are their means over height and width
 *   (the paper's equations 1 to 4). Then u = tanh(W [f¹; …; fᴹ; f] + b).
 * - Diversity. With H(p, q) = |√p − √q|₂ / √2, the Hellinger distance, of distributions over M (M − 1) / 2 pairs:
 *
 *       Lspatial = 1 − mean H(softmax(aˡ), softmax(aᵏ)), aʲ the mean of Fʲ over its channels
 *       Lchannel = max(0, t − mean H(softmax(fˡ), softmax(fᵏ)))
 *
 * - Alignment. cʲ(y) is the mean of fʲ over the training images of class y. While the network is trained, an image of
 *   class y hashes f̂ʲ instead of fʲ: cʲ(y) with probability ½, else fʲ (equation 8). With it comes
 *   Lalign = Σⱼ |fʲ − cʲ(y)|² / (M · width).
 * - Codes. The loss is ADSH's without γ, plus λ₁ Lspatial + λ₂ Lchannel + λ₃ Lalign, each the mean over the images of
 *   the batch. V is learned by ADSH's V-step without γ.
 *
 * `src/model/exchnet/` has the network and the three terms. docs/methods.md says which of this was read where, and what
 * the sources leave open.
 */
export const exchnet = {
  kind: 'trained',
  positives: false,
  erasing: false,
  head: 'parts',
  pairs: null,
  databaseCodes: 'learned',
  firstCodes: 'random',
  terms: ['spatial', 'channel', 'alignment'],
  gamma: 0,
  published: null,
  quickLearningRate: null,
} as const satisfies TrainedMethod;
