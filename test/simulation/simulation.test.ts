import { expect, test } from 'vitest';
import { simulate } from './simulation.js';

test('try', async () => {
  const reference = await simulate(1, { faults: [], workers: 1, verificationRate: 0 });
  console.log(reference.trace.join('\n'));
  expect(reference.violations).toEqual([]);
  for (let seed = 1; seed <= 40; seed++) {
    const started = performance.now();
    const outcome = await simulate(seed);
    console.log(
      seed,
      (performance.now() - started).toFixed(0),
      outcome.simulatedMs.toFixed(0),
      outcome.trace.length,
      outcome.plan.faults.map((f) => f.kind).join(' '),
      outcome.violations,
      outcome.weightsSha256 === reference.weightsSha256 && outcome.codesSha256 === reference.codesSha256,
    );
  }
});
