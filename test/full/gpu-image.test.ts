import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildahMissing, ImageStore } from '../kit/base-image.js';
import { trainInContainer } from '../kit/run-in-image.js';

const minutes = 60_000;
const image = 'localhost/fcaenet:gpu';
const variable = 'FCAENET_TEST_GPU_IMAGE';
const missing =
  buildahMissing ||
  (process.env[variable] === '1'
    ? ''
    : ` (skipped: ${variable} is not 1; it takes gigabytes from PyPI and 25 GB of disk)`);
let images: ImageStore;
let container: string;

const inside = (...command: string[]) =>
  images.buildah('run', '--isolation', 'chroot', container, '--', ...command);

/** What it does on a machine without a GPU: everything but computing on one. */
describe.skipIf(missing !== '')(`the image of target gpu${missing}`, () => {
  beforeAll(() => {
    images = new ImageStore();
    images.makeBase();
    const build = ['build', '--isolation', 'chroot', '--file', 'deploy/image/Dockerfile', '--target', 'gpu'];
    images.buildah(...build, '--build-arg', `BASE=${images.base}`, '--tag', image, '.');
    container = images.buildah('from', '--pull-never', image);
  }, 60 * minutes);
  afterAll(() => images.remove(), 5 * minutes);

  test('asks the runtime for the driver, and for no GPU of its own accord', () => {
    const { OCIv1 } = JSON.parse(images.buildah('inspect', '--type', 'image', image));
    expect(OCIv1.config).toMatchObject({ User: '65532:65532', Entrypoint: ['tini', '--', 'fcaenet'] });
    expect(inside('tini', '--', 'fcaenet', '--version')).toMatch(/^\d/);
    expect(OCIv1.config.Env).toContain('NVIDIA_DRIVER_CAPABILITIES=compute,utility');
    expect(OCIv1.config.Env.join()).not.toContain('NVIDIA_VISIBLE_DEVICES');
  });

  test("CUDA's libraries find each other, and of them all only the driver is missing", () => {
    const libraries = "find /opt/fcaenet -name 'lib*.so*' -type f";
    expect(Number(inside('sh', '-c', `${libraries} | wc -l`))).toBeGreaterThan(20);
    const unresolved = inside('sh', '-c', `${libraries} -exec ldd {} + 2>&1 | grep 'not found' || true`);
    expect(unresolved.split('\n').filter((line) => !/^$|libcuda\.so\.1/.test(line))).toEqual([]);
    const known = inside('/sbin/ldconfig', '-p');
    for (const name of ['libcudart.so.12', 'libcublas.so.12', 'libcudnn.so.9', 'libnvrtc.so.12']) {
      expect(known).toContain(`/${name}`);
    }
  });

  test('refuses to compute on the processor in silence', () => {
    expect(() => inside('fcaenet', 'doctor')).toThrow(
      /fcaenet: no engine can run here: [^\n]*@tensorflow\/tfjs-node-gpu finds no GPU: [^\n]*\n/,
    );
  });

  test(
    'takes TensorFlow for its engine, and computes with it on the processor where that is wanted',
    () => {
      const onProcessor = ['env', 'CUDA_VISIBLE_DEVICES=-1', 'fcaenet', 'doctor', '--json'];
      const { engines } = JSON.parse(inside(...onProcessor));
      const [onednn, tensorflow] = engines;
      expect(onednn).toMatchObject({ engine: 'onednn', runs: false });
      expect(tensorflow).toMatchObject({
        engine: 'tensorflow',
        runs: true,
        description: { version: expect.stringContaining('TensorFlow 2.21.0 in @tensorflow/tfjs-node-gpu') },
      });
      expect(tensorflow.trainedImagesPerSecond).toBeGreaterThan(0);
    },
    5 * minutes,
  );

  test(
    'trains with it',
    () => {
      expect(trainInContainer(inside, 'tensorflow', 'CUDA_VISIBLE_DEVICES=-1')).toContain('run finished');
    },
    5 * minutes,
  );

  test('holds no compiler, no Python, and no headers', () => {
    expect(inside('sh', '-c', 'command -v g++ python3 || echo none')).toBe('none');
    expect(inside('sh', '-c', 'find /opt/fcaenet -name include')).toBe('');
    expect(inside('sh', '-c', 'find /app /opt -writable | head -n 1')).toBe('');
  });
});
