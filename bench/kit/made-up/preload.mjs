// Loaded before the program in a made-up member: `NODE_OPTIONS=--import=…`.
import { register } from 'node:module';

register('./hooks.mjs', import.meta.url);
