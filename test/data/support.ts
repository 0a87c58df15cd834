import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';

/** A fresh folder that goes when the test ends. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'fcaenet-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** The lists and image files of a small dataset in CUB layout, free to be damaged before they are written. */
export interface CubFiles {
  'images.txt': string;
  'image_class_labels.txt': string;
  'train_test_split.txt': string;
  'classes.txt': string;
  /** content by path below images/ */
  images: Record<string, Uint8Array>;
}

/**
 * Three classes with ids 2, 5 and 9. The first has three train images and a test image, the second two and one, the
 * third is alone. An image's content is as many bytes as its id says, unless given.
 */
export function smallCub(content?: (id: number) => Uint8Array): CubFiles {
  const images = [
    { id: 1, file: '002.Auk/a.jpg', classId: 2, train: 1 },
    { id: 2, file: '005.Wren/a b.jpg', classId: 5, train: 1 },
    { id: 3, file: '002.Auk/b.jpg', classId: 2, train: 0 },
    { id: 4, file: '009.Tern/a.jpg', classId: 9, train: 1 },
    { id: 5, file: '002.Auk/c.jpg', classId: 2, train: 1 },
    { id: 6, file: '005.Wren/b.jpg', classId: 5, train: 0 },
    { id: 7, file: '002.Auk/d.jpg', classId: 2, train: 1 },
    { id: 8, file: '005.Wren/c.jpg', classId: 5, train: 1 },
  ];
  const lines = (line: (image: (typeof images)[number]) => string) =>
    images.map((image) => `${line(image)}\n`).join('');
  return {
    'images.txt': lines(({ id, file }) => `${id} ${file}`),
    'image_class_labels.txt': lines(({ id, classId }) => `${id} ${classId}`),
    'train_test_split.txt': lines(({ id, train }) => `${id} ${train}`),
    'classes.txt': '2 002.Auk\n3 003.Unseen\n5 005.Wren\n9 009.Little Tern\n',
    images: Object.fromEntries(images.map(({ id, file }) => [file, content?.(id) ?? new Uint8Array(id)])),
  };
}

export async function writeCub(root: string, files: CubFiles): Promise<void> {
  const { images, ...lists } = files;
  await mkdir(root, { recursive: true });
  for (const [file, text] of Object.entries(lists)) await writeFile(path.join(root, file), text);
  for (const [file, content] of Object.entries(images)) {
    const target = path.join(root, 'images', file);
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, content);
  }
}
