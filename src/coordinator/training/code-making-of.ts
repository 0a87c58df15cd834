import { featureMethod, type Method, networkHead, networkMakesDatabase } from '../../methods/methods.js';
import { adshCodes } from './adsh-codes.js';
import type { CodeMaking } from './code-making.js';
import { exchnetCodes } from './exchnet-codes.js';
import { featureCodes } from './feature-codes.js';
import { networkCodes } from './network-codes.js';

/** How a method makes codes. */
export function codeMakingOf(method: Method): CodeMaking {
  if (featureMethod(method)) return featureCodes;
  if (networkHead(method) === 'parts') return exchnetCodes;
  return networkMakesDatabase(method) ? networkCodes : adshCodes;
}
