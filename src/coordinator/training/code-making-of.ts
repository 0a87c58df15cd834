import { featureMethod, type Method } from '../../methods/methods.js';
import { adshCodes } from './adsh-codes.js';
import type { CodeMaking } from './code-making.js';
import { featureCodes } from './feature-codes.js';

/** How a method makes codes. */
export function codeMakingOf(method: Method): CodeMaking {
  return featureMethod(method) ? featureCodes : adshCodes;
}
