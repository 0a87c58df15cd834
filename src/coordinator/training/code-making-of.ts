import { featureMethod, type Method, networkMakesDatabase } from '../../methods/methods.js';
import { adshCodes } from './adsh-codes.js';
import type { CodeMaking } from './code-making.js';
import { featureCodes } from './feature-codes.js';
import { networkCodes } from './network-codes.js';

/** How a method makes codes. */
export function codeMakingOf(method: Method): CodeMaking {
  if (featureMethod(method)) return featureCodes;
  return networkMakesDatabase(method) ? networkCodes : adshCodes;
}
