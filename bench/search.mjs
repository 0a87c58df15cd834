// Processor time of one search for the nearest codes, one query at a time on one thread: this project's index, FAISS'
// IndexBinaryFlat, which is exact as well, and its IndexBinaryMultiHash, which is not, in one interleaved run. Codes are
// random, or lie around the codes of classes as those of a trained run do. Needs a Python (PYTHON, or python3) with faiss-cpu.
// usage: npm run bench:search [-- --rows=10000000] [--bits=48] [--nearest=100] [--rounds=7] [--codes=random,classes]
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NearestIndex } from '../dist/retrieval/nearest-index.js';
import { listOf, numberOf, OptionError, optionsOf, runBenchmark } from './kit/options.mjs';
import { requirePython } from './kit/python.mjs';
import { median, spread, writeReport } from './kit/report.mjs';
import { stepper } from './kit/stepper.mjs';
import { temporaryFolder } from './kit/temporary-folder.mjs';

const python = process.env.PYTHON ?? 'python3';

const queries = 20;
const queriesPerTurn = 5;
/** Codes of a class differ from its centre in each bit with this probability. */
const flipped = 0.08;
const classes = 555;

const { values } = optionsOf({
  options: {
    rows: { type: 'string', default: '10000000' },
    bits: { type: 'string', default: '48' },
    nearest: { type: 'string', default: '100' },
    rounds: { type: 'string', default: '7' },
    codes: { type: 'string', default: 'random,classes' },
  },
});

/** Packed codes as bytes `[rows, bits / 8]`. */
function drawn(kind, rows, bytes, centres) {
  const codes = new Uint8Array(rows * bytes);
  for (let i = 0; i < codes.length; i++) codes[i] = 256 * Math.random();
  if (kind === 'random') return codes;
  for (let row = 0; row < rows; row++) {
    const centre = Math.floor(classes * Math.random()) * bytes;
    for (let byte = 0; byte < bytes; byte++) {
      let flips = 0;
      for (let bit = 0; bit < 8; bit++) if (Math.random() < flipped) flips |= 1 << bit;
      codes[row * bytes + byte] = centres[centre + byte] ^ flips;
    }
  }
  return codes;
}

/** The same as words, the form of this project's codes. */
function wordsOf(codes, rows, bytes) {
  const words = (bytes + 3) >> 2;
  const packed = new Uint32Array(rows * words);
  const target = new Uint8Array(packed.buffer);
  for (let row = 0; row < rows; row++) {
    for (let byte = 0; byte < bytes; byte++) target[row * 4 * words + byte] = codes[row * bytes + byte];
  }
  return packed;
}

/** Seconds of the processor in user and system mode. */
function processorSeconds(work) {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

async function compare(kind, { rows, bits, nearest, rounds }) {
  const bytes = bits / 8;
  const folder = temporaryFolder('search');
  const [codesFile, queriesFile] = ['codes', 'queries'].map((name) => join(folder, name));
  const centres = drawn('random', classes, bytes);
  const codes = drawn(kind, rows, bytes, centres);
  const asked = drawn(kind, queries, bytes, centres);
  writeFileSync(codesFile, codes);
  writeFileSync(queriesFile, asked);
  let index;
  const buildSeconds = processorSeconds(() => {
    index = new NearestIndex(wordsOf(codes, rows, bytes), rows, bits);
  });
  const queryWords = wordsOf(asked, queries, bytes);
  const found = Array.from({ length: queries }, (_, row) => [
    ...index.nearest(queryWords, row, nearest).distances,
  ]);
  const sides = {};
  for (const name of ['flat', 'multihash']) {
    const args = [codesFile, queriesFile, String(bytes), String(nearest), name];
    const script = join(import.meta.dirname, 'search_faiss.py');
    sides[name] = await stepper(python, [script, ...args], { OMP_NUM_THREADS: '1' });
  }
  const abouts = Object.fromEntries(
    Object.entries(sides).map(([name, { about }]) => [name, JSON.parse(about)]),
  );
  if (JSON.stringify(abouts.flat.distances) !== JSON.stringify(found)) {
    throw new Error('IndexBinaryFlat finds other distances, expected those of this index.');
  }
  const turns = [];
  let next = 0;
  for (let round = 0; round <= rounds; round++) {
    const own = processorSeconds(() => {
      for (let i = 0; i < queriesPerTurn; i++) index.nearest(queryWords, next++ % queries, nearest);
    });
    const turn = { own: own / queriesPerTurn };
    for (const [name, side] of Object.entries(sides)) {
      turn[name] = (await side.run(queriesPerTurn)).processor / queriesPerTurn;
    }
    if (round > 0) turns.push(turn);
  }
  for (const side of Object.values(sides)) side.end();
  const ms = (name) => (1000 * median(turns.map((turn) => turn[name]))).toFixed(1);
  const ratio = (name) => spread(turns.map((turn) => turn[name] / turn.own));
  console.log(
    `${rows} ${kind} codes of ${bits} bits, the ${nearest} nearest: ${ms('own')} ms of processor time, ` +
      `${(index.memoryBytes / 2 ** 20).toFixed(1)} MiB, built in ${buildSeconds.toFixed(2)} s`,
  );
  console.log(
    `  FAISS ${abouts.flat.version} IndexBinaryFlat: ${ms('flat')} ms, ${ratio('flat')} times as long`,
  );
  const recall = recallOf(abouts.multihash.distances, found);
  console.log(
    `  IndexBinaryMultiHash: ${ms('multihash')} ms, ${ratio('multihash')} times as long; ` +
      `it finds ${(100 * recall).toFixed(1)} % of the distances`,
  );
  const memoryBytes = {
    own: index.memoryBytes,
    flat: abouts.flat.memoryBytes,
    multihash: abouts.multihash.memoryBytes,
  };
  return { kind, rows, bits, nearest, faiss: abouts.flat.version, memoryBytes, buildSeconds, recall, turns };
}

/** Share of ranks with the right distance. */
function recallOf(distances, expected) {
  const right = distances.flatMap((row, query) =>
    row.map((distance, rank) => distance === expected[query][rank]),
  );
  return right.filter(Boolean).length / right.length;
}

await runBenchmark(async () => {
  requirePython(python, 'faiss-cpu', 'faiss');
  const [rows, bits, nearest, rounds] = ['rows', 'bits', 'nearest', 'rounds'].map((name) =>
    numberOf(values, name),
  );
  if (bits % 8 !== 0) throw new OptionError(`--bits is ${bits}, expected a multiple of 8 as FAISS needs.`);
  const results = [];
  for (const kind of listOf(values, 'codes', ['random', 'classes'])) {
    results.push(await compare(kind, { rows, bits, nearest, rounds }));
  }
  writeReport('search', { results });
});
