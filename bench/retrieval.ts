import { execFileSync } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { packCodes } from '../src/hashing/codes.js';
import { evaluateRetrieval } from '../src/retrieval/evaluate.js';

/**
 * mAP of NABirds' size (24,633 queries × 23,929 codes of 48 random bits) against the NumPy code that hashing papers
 * share: one product and one full sort per query (relevance by label here, not by a product of one-hot labels, which is
 * several times slower). NumPy ranks a part of the queries and its time is scaled.
 */

const [queries, n, bits, classCount, numpyQueries] = [24_633, 23_929, 48, 555, 200];

const numpyRanking = `
import time
import numpy as np
g = np.random.default_rng(0)
n, q, c, K = ${n}, ${numpyQueries}, ${bits}, ${classCount}
database = np.sign(g.standard_normal((n, c))); query = np.sign(g.standard_normal((q, c)))
database_labels = np.arange(n) % K; query_labels = np.arange(q) % K
start = time.perf_counter()
total = 0
for i in range(q):
    relevant = (database_labels == query_labels[i]).astype(np.float32)
    distance = 0.5 * (c - query[i] @ database.T)
    relevant = relevant[np.argsort(distance)]
    places = np.asarray(np.where(relevant == 1)) + 1.0
    total += np.mean(np.linspace(1, relevant.sum(), int(relevant.sum())) / places)
print(time.perf_counter() - start)
`;

const random = (rows: number) =>
  packCodes(
    Int8Array.from({ length: rows * bits }, () => (Math.random() < 0.5 ? -1 : 1)),
    bits,
  );
const labels = (rows: number) => Int32Array.from({ length: rows }, (_, i) => i % classCount);
const input = {
  queryCodes: random(queries),
  queryLabels: labels(queries),
  databaseCodes: random(n),
  databaseLabels: labels(n),
  bits,
  classCount,
  precisionAt: [1, 5, 10, 100],
};
let seconds = Number.POSITIVE_INFINITY;
for (let attempt = 0; attempt < 3; attempt++) {
  const start = performance.now();
  await evaluateRetrieval(input);
  seconds = Math.min(seconds, (performance.now() - start) / 1000);
}
const numpySeconds =
  (Number(execFileSync('/usr/bin/python3', ['-c', numpyRanking], { encoding: 'utf8' })) * queries) /
  numpyQueries;
console.log(
  JSON.stringify({
    date: new Date().toISOString(),
    what: `mAP of ${queries} queries over ${n} codes of ${bits} bits`,
    seconds: Number(seconds.toFixed(3)),
    numpySeconds: Number(numpySeconds.toFixed(1)),
    ratio: Number((numpySeconds / seconds).toFixed(1)),
  }),
);
