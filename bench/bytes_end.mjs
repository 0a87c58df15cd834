// One end of bench/bytes.mjs: `sender` or `receiver` of one way. Answers over IPC.
import { readTlsFiles } from '../dist/transport/tls-files.js';
import { bytePaths, RangeMemory } from './kit/byte_paths.mjs';

const { way, role, rangeBytes, files, port } = JSON.parse(process.argv[2]);
const tls = files && readTlsFiles(files);
const processorMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

if (role === 'receiver') {
  let left = 0;
  const take = () => {
    if (--left === 0) process.send({ processorMs: processorMs() });
  };
  process.on('message', ({ ranges }) => {
    left = ranges;
    process.send({ processorMs: processorMs() });
  });
  process.send({ port: await bytePaths[way].receive({ tls, take, rangeBytes }) });
} else {
  const send = await bytePaths[way].connect({ tls, port });
  const memory = new RangeMemory(rangeBytes);
  process.on('message', async ({ ranges }) => {
    const before = processorMs();
    for (let sent = 0; sent < ranges; sent++) await send(memory.next());
    process.send({ processorMs: processorMs() - before });
  });
  process.send({ ready: true });
}
