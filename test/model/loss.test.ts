import { describe, expect, it } from 'vitest';
import { computeLoss, type Outputs } from '../../src/model/loss.js';
import { relativeError, values } from '../golden/support.js';
import { bits, tinyInput } from './tiny.js';

const rows = 7;
const input = tinyInput('fcaenet', rows);
const outputs: Outputs = {
  anchor: new Float32Array(values('loss/u', [rows, bits], 0.9)),
  positive: new Float32Array(values('loss/up', [rows, bits], 0.9)),
  erased: new Float32Array(values('loss/ua', [rows, bits], 0.9)),
};

/** Rows `from` to `to` of the batch, which keeps its size. */
function part(from: number, to: number) {
  const cut = (array: Float32Array<ArrayBuffer> | null) => array?.slice(from * bits, to * bits) ?? null;
  return computeLoss(
    { anchor: cut(outputs.anchor)!, positive: cut(outputs.positive), erased: cut(outputs.erased) },
    {
      ...input,
      labels: input.labels.slice(from, to),
      ownCodes: input.ownCodes.slice(from * bits, to * bits),
    },
  );
}

describe('the loss', () => {
  it("of a batch's parts adds up to the batch's", () => {
    const whole = part(0, rows);
    const parts = [part(0, 3), part(3, 4), part(4, rows)];
    const sums = [0, 1, 2, 3].map((term) => parts.reduce((sum, { losses }) => sum + losses[term]!, 0));
    expect(relativeError(sums, whole.losses)).toBeLessThan(1e-12);
    for (const branch of ['anchor', 'positive', 'erased'] as const) {
      const joined = parts.flatMap(({ gradients }) => [...gradients[branch]!]);
      expect(joined).toEqual([...whole.gradients[branch]!]);
    }
  });

  it.each(['anchor', 'positive', 'erased'] as const)('has the gradient of its %s outputs', (branch) => {
    const { gradients } = computeLoss(outputs, input);
    const step = 2 ** -10;
    const differences = Array.from(outputs.anchor, (_value, i) => {
      const at = (shift: number) => {
        const moved = outputs[branch]!.slice();
        moved[i]! += shift;
        // The step that float32 really made.
        const { losses } = computeLoss({ ...outputs, [branch]: moved }, input);
        return { loss: losses.reduce((sum, term) => sum + term, 0), value: moved[i]! };
      };
      const [before, after] = [at(-step), at(step)];
      return (after.loss - before.loss) / (after.value - before.value);
    });
    expect(relativeError(gradients[branch]!, differences)).toBeLessThan(1e-6);
  });

  it('refuses branches of different sizes', () => {
    expect(() => computeLoss({ ...outputs, erased: new Float32Array(3) }, input)).toThrow(
      expect.objectContaining({ code: 'MODEL_SHAPE' }),
    );
  });
});
