import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildahMissing, ImageStore } from '../kit/base-image.js';
import { trainInContainer } from '../kit/run-in-image.js';

const minutes = 60_000;
const image = 'localhost/fcaenet:cpu';
let images: ImageStore;
let container: string;

/** Runs a program in the image, as its user. */
const inside = (...command: string[]) =>
  images.buildah('run', '--isolation', 'chroot', container, '--', ...command);

describe.skipIf(buildahMissing !== '')(`the image of target cpu${buildahMissing}`, () => {
  beforeAll(() => {
    images = new ImageStore();
    images.makeBase();
    const build = ['build', '--isolation', 'chroot', '--file', 'deploy/image/Dockerfile', '--target', 'cpu'];
    images.buildah(...build, '--build-arg', `BASE=${images.base}`, '--tag', image, '.');
    container = images.buildah('from', '--pull-never', image);
  }, 20 * minutes);
  afterAll(() => images.remove(), 2 * minutes);

  test('starts the program as a user without rights', () => {
    const { OCIv1 } = JSON.parse(images.buildah('inspect', '--type', 'image', image));
    expect(OCIv1.config).toMatchObject({ User: '65532:65532', Entrypoint: ['tini', '--', 'fcaenet'] });
    expect(inside('id', '-u')).toBe('65532');
    // Of a long-term release, which has a name.
    expect(inside('node', '--print', 'process.release.lts')).toBe('Krypton');
    const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
    expect(inside('tini', '--', 'fcaenet', '--version')).toBe(version);
  });

  test(
    'has the engine onednn at a speed that doctor measures, and says how to get the others',
    () => {
      const { engines } = JSON.parse(inside('fcaenet', 'doctor', '--json'));
      expect(engines).toMatchObject([
        { engine: 'onednn', runs: true, description: { name: 'onednn', threads: 1 } },
        { engine: 'tensorflow', runs: false, reason: expect.stringContaining('is installed') },
        { engine: 'webgpu', runs: false, reason: expect.stringContaining('are not installed') },
      ]);
      const [{ trainedImagesPerSecond, encodedImagesPerSecond }] = engines;
      expect(trainedImagesPerSecond).toBeGreaterThan(0);
      expect(encodedImagesPerSecond).toBeGreaterThan(trainedImagesPerSecond);
    },
    5 * minutes,
  );

  test(
    'trains with its native kernels',
    () => {
      expect(trainInContainer(inside, 'onednn')).toContain('run finished');
    },
    5 * minutes,
  );

  test('holds no compiler, no tests, and nothing of what lies about here', () => {
    const files = inside('ls', '/app').split('\n').sort();
    expect(files).toEqual(['LICENSE', 'dist', 'examples', 'native', 'node_modules', 'package.json', 'proto']);
    expect(inside('sh', '-c', 'command -v g++ || echo none')).toBe('none');
    expect(inside('sh', '-c', 'ls /app/node_modules | grep -c vitest || true')).toBe('0');
    expect(inside('sh', '-c', 'find /app -writable | head -n 1')).toBe('');
  });

  test('says what manifests lack', () => {
    expect(() => inside('sh', '-c', "printf 'kind: [' | fcaenet doctor --kube -")).toThrow(
      /standard input is not valid YAML/,
    );
  });
});
