export const codeFormats = ['npy', 'csv', 'faiss'] as const;
/** `npy`: bytes `[count, bytesPerCode]` for NumPy. `csv`: paths and bits. `faiss`: an `IndexBinaryFlat`. */
export type CodeFormat = (typeof codeFormats)[number];
