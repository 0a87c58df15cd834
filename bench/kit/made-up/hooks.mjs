// Gives importers of the engine the made-up one. Everything else of a worker is the program's own.
const madeUp = new URL('./engine.mjs', import.meta.url).href;
const replaced = new Set(
  ['engine/loader.js', 'model/any-engine.js', 'model/network.js', 'worker/probe.js'].map(
    (file) => new URL(`../../../dist/${file}`, import.meta.url).href,
  ),
);

export async function resolve(specifier, context, next) {
  const found = await next(specifier, context);
  return replaced.has(found.url) ? { ...found, url: madeUp } : found;
}
