import { DatasetError } from '../error.js';
import { maximumSpecies } from './species.js';

export interface SyntheticSettings {
  /** 2 … 20 */
  species: number;
  /** pictures of each species in the train split, 1 … 10,000 */
  trainPerSpecies: number;
  /** pictures of each species in the test split, 1 … 10,000 */
  testPerSpecies: number;
  /** side of a picture in pixels, 32 … 512 */
  size: number;
  /** 0 … 2^53 - 1 */
  seed: number;
}

/** The dataset of `npm start`. */
export const defaultSyntheticSettings: SyntheticSettings = {
  species: maximumSpecies,
  trainPerSpecies: 100,
  testPerSpecies: 20,
  size: 96,
  seed: 0,
};

const bounds: Record<keyof SyntheticSettings, readonly [number, number]> = {
  species: [2, maximumSpecies],
  trainPerSpecies: [1, 10_000],
  testPerSpecies: [1, 10_000],
  size: [32, 512],
  seed: [0, Number.MAX_SAFE_INTEGER],
};

/** @throws DatasetError DATASET_SETTINGS naming the first setting that is out of bounds */
export function checkSettings(settings: SyntheticSettings): void {
  for (const [name, [low, high]] of Object.entries(bounds)) {
    const value = settings[name as keyof SyntheticSettings];
    if (!Number.isInteger(value) || value < low || value > high) {
      throw new DatasetError(
        'DATASET_SETTINGS',
        `the synthetic dataset's ${name} is ${value}, expected a whole number from ${low} to ${high}`,
      );
    }
  }
}
