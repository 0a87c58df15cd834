// One end of bench/bytes.mjs: `sender` or `receiver` of one way, in a thread, as a worker exchanges ranges. Answers over IPC.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { collectGarbageLessOften } from '../dist/machine/garbage-collection.js';
import { readTlsFiles } from '../dist/transport/tls-files.js';
import { bytePaths, RangeMemory } from './kit/byte_paths.mjs';

/** Of all threads. */
const processorMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const answer = (message) => parentPort.postMessage(message);

async function receive({ way, rangeBytes, tls }) {
  let left = 0;
  const take = () => {
    if (--left === 0) answer({ processorMs: processorMs() });
  };
  parentPort.on('message', ({ ranges }) => {
    left = ranges;
    answer({ processorMs: processorMs() });
  });
  answer({ port: await bytePaths[way].receive({ tls, take, rangeBytes }) });
}

async function send({ way, rangeBytes, tls, port }) {
  const sendRange = await bytePaths[way].connect({ tls, port });
  const memory = new RangeMemory(rangeBytes);
  parentPort.on('message', async ({ ranges }) => {
    const before = processorMs();
    for (let sent = 0; sent < ranges; sent++) await sendRange(memory.next());
    answer({ processorMs: processorMs() - before });
  });
  answer({ ready: true });
}

if (isMainThread) {
  collectGarbageLessOften();
  const thread = new Worker(new URL(import.meta.url), { workerData: JSON.parse(process.argv[2]) });
  thread.on('message', (message) => process.send(message));
  process.on('message', (message) => thread.postMessage(message));
} else {
  const { role, files, ...settings } = workerData;
  const tls = files && readTlsFiles(files);
  await { sender: send, receiver: receive }[role]({ ...settings, tls });
}
