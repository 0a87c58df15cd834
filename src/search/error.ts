import { type ExitCode, ExitCode as exit, FcaenetError } from '../errors.js';

export type SearchErrorCode =
  | 'SEARCH_OTHER_DATASET'
  | 'SEARCH_DATABASE_UNREADABLE'
  | 'SEARCH_PATHS_DIFFER'
  | 'SEARCH_PAGE_NOT_WRITTEN';

const exitCodes: Record<SearchErrorCode, ExitCode> = {
  SEARCH_OTHER_DATASET: exit.badData,
  SEARCH_DATABASE_UNREADABLE: exit.missingInput,
  SEARCH_PATHS_DIFFER: exit.badData,
  SEARCH_PAGE_NOT_WRITTEN: exit.cannotCreate,
};

/** A database that cannot be searched. */
export class SearchError extends FcaenetError {
  override readonly name = 'SearchError';

  constructor(code: SearchErrorCode, message: string, options?: { cause?: unknown }) {
    super(code, message, exitCodes[code], options);
  }
}
