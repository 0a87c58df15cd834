const values = {
  'FILL-IN-IMAGE': 'registry.example/fcaenet:gpu',
  'FILL-IN-DATASET-CLAIM': 'dataset',
  'FILL-IN-WEIGHTS': 'resnet50.safetensors',
  'FILL-IN-GPU-PRODUCT': 'NVIDIA-H100-80GB-HBM3',
  'FILL-IN-STORAGE-CLASS': 'standard',
};

/** Manifests, or a kustomization, with the values that a person fills in. */
export function fillIn(text: string): string {
  return Object.entries(values).reduce((filled, [name, value]) => filled.replaceAll(name, value), text);
}
