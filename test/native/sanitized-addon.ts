import { vi } from 'vitest';

/** Loads the addon that scripts/test-native.mjs has built, instead of the one of set-up. */
vi.mock('../../src/engine/onednn/addon.js', async (original) => ({
  ...(await original<typeof import('../../src/engine/onednn/addon.js')>()),
  builtAddonPath: process.env.FCAENET_SANITIZED_ADDON,
}));
