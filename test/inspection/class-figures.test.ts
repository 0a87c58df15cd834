import { expect, test } from 'vitest';
import { classFigures, classTable } from '../../src/inspection/class-figures.js';

const figures = classFigures(
  Float64Array.of(0.9, Number.NaN, 0.25),
  Int32Array.of(0, 2, 2),
  [
    [{ label: 0, share: 1 }],
    [],
    [
      { label: 2, share: 0.4 },
      { label: 0, share: 0.35 },
      { label: 1, share: 0.25 },
    ],
  ],
  ['Auk', 'Wren', 'Tern'],
);

test('classes with queries come worst first, with the classes that they are confused with', () => {
  expect(figures).toEqual([
    {
      name: 'Tern',
      queries: 2,
      mAP: 0.25,
      confusions: [
        { name: 'Auk', share: 0.35 },
        { name: 'Wren', share: 0.25 },
      ],
    },
    { name: 'Auk', queries: 1, mAP: 0.9, confusions: [] },
  ]);
});

test('the table has a line for each class', () => {
  expect(classTable(figures)).toBe(
    [
      'class  queries     mAP  other classes among the 10 nearest images',
      'Tern         2  0.2500  Auk 35.0 %, Wren 25.0 %',
      'Auk          1  0.9000  -',
      '',
    ].join('\n'),
  );
});
