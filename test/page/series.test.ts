import { expect, test } from 'vitest';
import { LossCurve } from '../../src/live/loss-curve.js';
import { methods } from '../../src/methods/methods.js';
import { lossTermsOf } from '../../src/model/loss.js';
import { lossSeries } from '../../src/page/series.js';
import { runView } from '../kit/run-views.js';

test.each(methods)('the lines of the losses of %s have different colours', (method) => {
  const names = lossTermsOf(method);
  const losses = new LossCurve(names);
  // A network with terms of its own has neither positives nor erased images.
  const has = (name: string) => names.length === 4 || !['positive', 'augmented'].includes(name);
  losses.add(
    1,
    names.map((name) => (has(name) ? 2 : 0)),
  );
  const series = lossSeries(runView({ method, iterationsDone: [], losses: losses.view() }));
  expect(series.map(({ label }) => label)).toEqual(['sum', ...names.filter(has)]);
  expect(new Set(series.map(({ colour }) => colour)).size).toBe(series.length);
});
