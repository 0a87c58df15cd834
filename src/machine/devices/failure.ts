import { quote } from '../../errors.js';
import { describeDevice, type GpuDevice } from './device.js';
import { DeviceError } from './error.js';

interface Sign {
  readonly pattern: RegExp;
  readonly kind: keyof typeof failures;
  /** What it means, as a clause, given the pattern's first group. */
  readonly meaning: (group: string) => string;
}

/** Xid numbers (NVIDIA's catalogue) after which the driver or the machine has to be restarted. */
const lostXids = '48|79|95|119|120';

/** What CUDA, TensorFlow and the driver say of a GPU that fails; the first that matches counts. */
const signs: readonly Sign[] = [
  {
    pattern: /(?:fallen|fell) off the bus|GPU (?:is|has been) lost|GPU_IS_LOST/i,
    kind: 'lost',
    meaning: () => 'it fell off the bus',
  },
  {
    pattern: /CUDA_ERROR_ECC_UNCORRECTABLE|uncorrectable ECC|double[- ]bit ECC/i,
    kind: 'lost',
    meaning: () => 'its memory has an ECC error that cannot be corrected',
  },
  {
    pattern: /CUDA_ERROR_NO_DEVICE|no CUDA-capable device/i,
    kind: 'lost',
    meaning: () => 'the driver does not have it any more',
  },
  {
    pattern: new RegExp(`\\bXid\\b\\s*(?:\\([^)]*\\))?[^\\d\\n(]{0,5}(${lostXids})\\b`),
    kind: 'lost',
    meaning: (xid) => `the driver reports Xid ${xid}`,
  },
  {
    pattern: /\bXid\b\s*(?:\([^)]*\))?[^\d\n(]{0,5}(\d+)/,
    kind: 'passing',
    meaning: (xid) => `the driver reports Xid ${xid}`,
  },
  {
    // TensorFlow says the same of the processor's memory, and names the device.
    pattern:
      /CUDA_ERROR_OUT_OF_MEMORY|CUBLAS_STATUS_ALLOC_FAILED|(?:RESOURCE_EXHAUSTED|OOM when allocating)(?![^\n]*device:CPU)/i,
    kind: 'memory',
    meaning: () => 'its memory does not suffice',
  },
  {
    pattern:
      /\b(CUDA_ERROR_[A-Z_]+|CUDNN_STATUS_[A-Z_]*(?:ERROR|FAILED)|CUBLAS_STATUS_[A-Z_]*(?:ERROR|FAILED))\b/,
    kind: 'passing',
    meaning: (name) => `CUDA reports ${name}`,
  },
];

/** Errors by kind of failure, given the sentence up to what happened. */
const failures = {
  lost: (what: string, cause: unknown) =>
    new DeviceError('DEVICE_LOST', `${what}; restart its driver or the machine before it computes again`, {
      cause,
    }),
  passing: (what: string, cause: unknown) =>
    new DeviceError('DEVICE_FAILED', `${what}; if it fails again, look at the kernel log for its Xid`, {
      cause,
    }),
  memory: (what: string, cause: unknown) =>
    new DeviceError(
      'DEVICE_OUT_OF_MEMORY',
      `${what}; end what else uses it, or choose more spec.schedule.microbatches, which changes the result`,
      { cause },
    ),
} as const;

/**
 * Recognises in a text (the message of an error, or the last lines of a process) that a GPU failed.
 * @returns an error whose sentence names the device, what happened and what helps; null for any other text
 */
export function deviceFailure(device: GpuDevice, text: string, cause?: unknown): DeviceError | null {
  for (const { pattern, kind, meaning } of signs) {
    const match = pattern.exec(text);
    if (match === null) continue;
    const line = lineAround(text, match.index);
    const what = `${describeDevice(device)} failed: ${meaning(match[1] ?? '')} (${quote(line, 200)})`;
    return failures[kind](what, cause);
  }
  return null;
}

function lineAround(text: string, index: number): string {
  const end = text.indexOf('\n', index);
  return text.slice(text.lastIndexOf('\n', index) + 1, end < 0 ? text.length : end).trim();
}
