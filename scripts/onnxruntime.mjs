// Brings ONNX Runtime into the machine's cache, for the tests that run exported networks with it. With `--path` it says
// where the package is or would be, and installs nothing.
import { join } from 'node:path';
import { cachedPackages, installCachedPackages } from './cached-packages.mjs';
import { runScript } from './lib.mjs';

const packages = 'onnxruntime';

if (process.argv.includes('--path')) {
  console.log(join(cachedPackages(packages), 'node_modules', 'onnxruntime-node'));
} else {
  await runScript(() => {
    const seconds = installCachedPackages(packages, 'ONNX Runtime cannot be installed; see above.');
    if (seconds !== null) console.log(`setup: installed ONNX Runtime in ${seconds} s`);
  });
}
