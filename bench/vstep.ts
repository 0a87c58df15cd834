import { execFileSync } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { updateDatabaseCodes } from '../src/hashing/adsh.js';
import { softRatio } from '../src/hashing/similarity.js';

/** One V-step of NABirds' size (m = 4,000, n = 23,929, c = 48) against class sums in NumPy, in the same run. */

const [n, m, bits, classCount, gamma] = [23_929, 4_000, 48, 555, 200];

const numpyClassSums = `
import time
import numpy as np
n, m, c, K, gamma, r = ${n}, ${m}, ${bits}, ${classCount}, ${gamma}.0, 1 / 554
g = np.random.default_rng(0)
labels = np.arange(n) % K
V0 = np.where(g.standard_normal((n, c)) >= 0, 1.0, -1.0)
omega = g.permutation(n)[:m]
U = np.tanh(g.standard_normal((m, c)))
best = 1e9
for _ in range(7):
    start = time.perf_counter()
    V = V0.copy()
    sums = np.zeros((K, c)); np.add.at(sums, labels[omega], U)
    Q = c * ((1 + r) * sums[labels] - r * U.sum(0))
    Q[omega] += gamma * U
    G = U.T @ U
    for k in range(c):
        g_k = G[:, k].copy(); g_k[k] = 0
        V[:, k] = np.where(Q[:, k] - V @ g_k >= 0, 1.0, -1.0)
    best = min(best, time.perf_counter() - start)
print(best)
`;

const labels = Int32Array.from({ length: n }, (_, i) => i % classCount);
const codes = Int8Array.from({ length: n * bits }, () => (Math.random() < 0.5 ? -1 : 1));
const omega = Int32Array.from({ length: m }, (_, i) => (i * 5) % n);
const u = Float32Array.from({ length: m * bits }, () => Math.tanh(4 * Math.random() - 2));
const sizes = new Int32Array(classCount);
for (const label of labels) sizes[label]!++;
const ratio = softRatio(
  omega.map((row) => labels[row]!),
  sizes,
);
let seconds = Number.POSITIVE_INFINITY;
for (let attempt = 0; attempt < 12; attempt++) {
  const start = performance.now();
  updateDatabaseCodes({ codes, labels, bits, classCount, omega, u, ratio, gamma });
  seconds = Math.min(seconds, (performance.now() - start) / 1000);
}
const numpySeconds = Number(execFileSync('/usr/bin/python3', ['-c', numpyClassSums], { encoding: 'utf8' }));
console.log(
  JSON.stringify({
    date: new Date().toISOString(),
    what: 'V-step m=4000 n=23929 c=48',
    seconds: Number(seconds.toFixed(5)),
    numpyClassSumsSeconds: Number(numpySeconds.toFixed(5)),
    ratio: Number((numpySeconds / seconds).toFixed(2)),
  }),
);
