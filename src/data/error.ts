import { ExitCode, FcaenetError } from '../errors.js';

/** Faults of a dataset, or of a request for one. */
export type DatasetErrorCode =
  | 'DATASET_FOLDER_MISSING'
  | 'DATASET_FORMAT_UNKNOWN'
  | 'DATASET_LAYOUT_INCOMPLETE'
  | 'DATASET_LIST_UNREADABLE'
  | 'DATASET_LIST_ENCODING'
  | 'DATASET_LINE_MALFORMED'
  | 'DATASET_ENTRY_DUPLICATE'
  | 'DATASET_ENTRY_UNKNOWN'
  | 'DATASET_ENTRY_MISSING'
  | 'DATASET_PATH_UNSAFE'
  | 'DATASET_IMAGE_MISSING'
  | 'DATASET_IMAGE_EMPTY'
  | 'DATASET_IMAGE_DAMAGED'
  | 'DATASET_IMAGE_CHANGED'
  | 'DATASET_IMAGE_TOO_LARGE'
  | 'DATASET_SPLIT_EMPTY'
  | 'DATASET_COUNTS_WRONG'
  | 'DATASET_FINGERPRINT_DIFFERENT'
  | 'DATASET_SAMPLE_SIZE'
  | 'DATASET_SETTINGS'
  | 'DATASET_FOLDER_OCCUPIED'
  | 'DATASET_FOLDER_UNWRITABLE';

const missingInputCodes: readonly DatasetErrorCode[] = [
  'DATASET_FOLDER_MISSING',
  'DATASET_FORMAT_UNKNOWN',
  'DATASET_LAYOUT_INCOMPLETE',
  'DATASET_LIST_UNREADABLE',
  'DATASET_IMAGE_MISSING',
];

function exitCodeOf(code: DatasetErrorCode): ExitCode {
  if (missingInputCodes.includes(code)) return ExitCode.missingInput;
  if (code === 'DATASET_FOLDER_OCCUPIED' || code === 'DATASET_FOLDER_UNWRITABLE')
    return ExitCode.cannotCreate;
  if (code === 'DATASET_SAMPLE_SIZE' || code === 'DATASET_SETTINGS') return ExitCode.badConfiguration;
  return ExitCode.badData;
}

/** A dataset that cannot be used, or a request that does not match it. */
export class DatasetError extends FcaenetError {
  override readonly name = 'DatasetError';

  constructor(code: DatasetErrorCode, message: string, options?: { cause?: unknown }) {
    super(code, message, exitCodeOf(code), options);
  }
}
