/** What each format of `fcaenet export` writes: the network, or the codes of the run's images. */
export const exportContents = {
  safetensors: 'network',
  torch: 'network',
  onnx: 'network',
  tfjs: 'network',
  faiss: 'codes',
  npy: 'codes',
} as const;

export type ExportFormat = keyof typeof exportContents;
export const exportFormats = Object.keys(exportContents) as readonly ExportFormat[];
