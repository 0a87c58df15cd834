// Installs the packages of the engine `webgpu` from npm. package.json and its lock file are not changed, and `npm ci`
// removes the packages again.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { installedVersion, installOptional, root, runScript } from './lib.mjs';
import { installTensorflow } from './tensorflow-from-wheel.mjs';

await runScript(() => {
  installOptional({ webgpu: '0.6.2', '@tensorflow/tfjs-backend-webgpu': '4.22.0' });
  for (const gpu of [false, true]) {
    const name = `@tensorflow/tfjs-node${gpu ? '-gpu' : ''}`;
    const addon = join(root, 'node_modules', name, 'lib/napi-v8/tfjs_binding.node');
    // npm unpacks the package again, without the addon that was built in it.
    if (installedVersion(name) !== undefined && !existsSync(addon)) {
      installTensorflow({ gpu, log: (line) => console.log(`setup: ${line}`) });
    }
  }
  console.log(
    'setup: the packages of engine webgpu are there; npx fcaenet doctor says whether a GPU answers',
  );
});
