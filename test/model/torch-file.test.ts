import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readTorchFile } from '../../src/model/weights/torch-file.js';
import { temporaryDirectory } from '../run/support.js';
import { pickle, storedZip, type TorchTensor, tensorPickle, torchLegacy, torchZip } from './torch-writer.js';

const tensors = new Map<string, TorchTensor>([
  ['conv.weight', { shape: [2, 3, 1, 1], data: Float32Array.of(1, 2, 3, 4, 5, 6) }],
  // As PyTorch keeps a filter in channels-last memory: [2, 2, 1, 2] whose second axis varies fastest.
  [
    'last.weight',
    { shape: [2, 2, 1, 2], strides: [4, 1, 4, 2], data: Float32Array.of(0, 1, 2, 3, 4, 5, 6, 7) },
  ],
  ['bn.num_batches_tracked', { shape: [], data: BigInt64Array.of(7n) }],
]);
const ignoresCounters = (name: string) => name.endsWith('num_batches_tracked');

function read(bytes: Buffer, isIgnored = ignoresCounters) {
  const path = join(temporaryDirectory(), 'weights.pth');
  writeFileSync(path, bytes);
  return readTorchFile(path, isIgnored);
}

describe.each([
  ['zipped', torchZip],
  ['before PyTorch 1.6', torchLegacy],
])('a .pth file, %s', (_format, write) => {
  it('gives its tensors in row-major order, whatever their strides', async () => {
    const { tensors: found } = await read(write(tensors));
    expect([...found.keys()]).toEqual(['conv.weight', 'last.weight']);
    expect(found.get('conv.weight')).toMatchObject({
      shape: [2, 3, 1, 1],
      data: Float32Array.of(1, 2, 3, 4, 5, 6),
    });
    expect([...found.get('last.weight')!.data]).toEqual([0, 2, 1, 3, 4, 6, 5, 7]);
  });

  it('gives float16 as float32', async () => {
    const half = { shape: [3], data: Uint16Array.of(0x3c00, 0xc000, 0x3555) };
    const { tensors: found } = await read(write(new Map([['conv.weight', half]])));
    expect(found.get('conv.weight')).toEqual({
      shape: [3],
      data: Float32Array.of(1, -2, 0.333251953125),
      type: 'F16',
    });
  });

  it('is refused where a tensor that is used is not of float32', async () => {
    await expect(read(write(tensors), () => false)).rejects.toMatchObject({
      code: 'MODEL_WEIGHTS_DTYPE',
      message: expect.stringContaining('tensor bn.num_batches_tracked in '),
    });
  });

  it('is refused at every length it is cut to, in one sentence', async () => {
    const whole = write(tensors);
    for (let length = 0; length < whole.length; length += 13) {
      await expect(read(whole.subarray(0, length)), `${length} bytes`).rejects.toMatchObject({
        code: 'MODEL_WEIGHTS_TORCH',
        message: expect.stringContaining(' are not a readable PyTorch file: '),
      });
    }
  });

  it('is refused where a tensor reaches behind its storage', async () => {
    const wrong = new Map([['w', { shape: [3], strides: [2], data: new Float32Array(4) }]]);
    await expect(read(write(wrong))).rejects.toMatchObject({
      message: expect.stringMatching(/tensor w reaches to element 4 of 4$/),
    });
  });
});

const zipOf = (value: Buffer) => storedZip([['archive/data.pkl', pickle.document(value)]]);

it.each([
  [
    'calls another function',
    zipOf(pickle.call('os system', pickle.text('true'))),
    /its pickle names os\.system, expected only named tensors$/,
  ],
  [
    'names a class of another kind',
    zipOf(pickle.call('numpy.core.multiarray _reconstruct')),
    /its pickle names numpy\.core\.multiarray\._reconstruct, expected/,
  ],
  [
    'holds an opcode that tensors do not need',
    zipOf(Buffer.from('(i__builtin__\neval\n')),
    /its pickle contains the opcode 0x69 at byte 3, which is not needed for named tensors$/,
  ],
  [
    'calls a storage',
    zipOf(pickle.call('torch FloatStorage', pickle.integer(1))),
    /its pickle calls torch\.FloatStorage in a way that does not make a tensor$/,
  ],
  ['is one number', zipOf(pickle.integer(3)), /they are not a dictionary of tensors$/],
  [
    'holds something else beside the tensors',
    zipOf(pickle.dictionary([[pickle.text('epoch'), pickle.integer(3)]])),
    /the entry epoch is not a tensor$/,
  ],
  [
    'lacks a storage',
    zipOf(
      pickle.dictionary([[pickle.text('w'), tensorPickle({ shape: [1], data: new Float32Array(1) }, '0')]]),
    ),
    /the storage of w has no bytes, expected 4$/,
  ],
  ['takes from an empty stack', zipOf(Buffer.from('R')), /its pickle takes from an empty stack$/],
  ['recalls what it never stored', zipOf(Buffer.from('h\x05', 'latin1')), /its pickle reads value 5, which/],
  [
    'is of another protocol',
    storedZip([['a/data.pkl', Buffer.from('\x80\x04N.', 'latin1')]]),
    /has protocol 4, expected 2/,
  ],
  [
    'is an archive without a pickle',
    storedZip([['a/b', Buffer.from('x')]]),
    /holds 0 files data\.pkl, expected 1$/,
  ],
  [
    'is a compressed archive',
    storedZip([['a/data.pkl', Buffer.from('x')]], { method: 8 }),
    /a\/data\.pkl in its archive is compressed, expected stored files$/,
  ],
  [
    'has a wrong checksum',
    storedZip([['a/data.pkl', Buffer.from('x')]], { checksumOffset: 1 }),
    /a\/data\.pkl in its archive has a wrong checksum$/,
  ],
  [
    'holds a file twice',
    storedZip([
      ['a/b', Buffer.from('x')],
      ['a/b', Buffer.from('y')],
    ]),
    /contains a\/b twice$/,
  ],
  ['is text', Buffer.from('hello'), /it is neither an archive nor a pickle$/],
])('a file that %s is refused with the reason', async (_what, bytes, message) => {
  await expect(read(bytes)).rejects.toMatchObject({
    code: 'MODEL_WEIGHTS_TORCH',
    message: expect.stringMatching(message),
  });
});

const python = '/usr/bin/python3';
const hasTorch = spawnSync(python, ['-c', 'import torch']).status === 0;

it.skipIf(!hasTorch).each(['True', 'False'])(
  'what PyTorch itself writes is read with the same values, zipped %s (needs python3-torch)',
  async (zipped) => {
    const path = join(temporaryDirectory(), 'own.pth');
    const program = `
import torch, json
torch.manual_seed(1)
net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, bias=False), torch.nn.BatchNorm2d(4)).to(memory_format=torch.channels_last)
torch.save(net.state_dict(), ${JSON.stringify(path)}, _use_new_zipfile_serialization=${zipped})
print(json.dumps({k: v.flatten().tolist() for k, v in net.state_dict().items() if 'num' not in k}))
`;
    const { stdout, stderr } = spawnSync(python, ['-c', program], { encoding: 'utf8' });
    expect(stderr).toBe('');
    const { tensors: found } = await readTorchFile(path, ignoresCounters);
    const values = Object.fromEntries([...found].map(([name, { data }]) => [name, [...data]]));
    expect(values).toEqual(JSON.parse(stdout));
  },
);
