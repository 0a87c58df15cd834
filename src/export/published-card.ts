import { stringify } from 'yaml';
import type { PictureList } from '../data/picture-list.js';
import type { TrainedRun } from '../inference/trained-run.js';
import { manifestName } from '../model/weights/published-folder.js';
import { cardSections } from './model-card.js';

/**
 * `README.md` of published weights, as a model card of Hugging Face: metadata in YAML, and Markdown.
 * @param file name of the safetensors file beside it
 * @param license identifier of the licence; `unknown` where nobody stated one
 * @param pictures of the run; null for runs that do not list them
 */
export function publishedCard(
  run: TrainedRun,
  pictures: PictureList | null,
  file: string,
  license: string,
): string {
  return [
    '---',
    stringify(metadataOf(run, license)).trimEnd(),
    '---',
    '',
    `# ${run.name}`,
    '',
    ...cardSections(run, pictures),
    '- A run that starts from these weights takes the backbone. Its other layers start as without these weights.',
    '',
    '## How to use',
    '',
    ...usage(run, file),
    '',
    '## Licence',
    '',
    license === 'unknown'
      ? 'Nobody stated the licence of these weights. It depends on the images and on the weights that the training started from.'
      : `\`${license}\``,
    '',
  ].join('\n');
}

/** The metadata that Hugging Face reads; `model-index` has the figures of the evaluation. */
function metadataOf({ name, spec, evaluated }: TrainedRun, license: string): object {
  const figures = evaluated?.evaluation ?? null;
  const dataset = spec.dataset.kind ?? 'custom';
  return {
    license,
    library_name: 'fcaenet',
    pipeline_tag: 'image-feature-extraction',
    tags: ['image-retrieval', 'fine-grained', 'hashing', 'safetensors', spec.model.backbone],
    ...(figures && {
      'model-index': [
        {
          name,
          results: [
            {
              task: { type: 'image-feature-extraction', name: 'Image retrieval by Hamming distance' },
              dataset: { type: dataset, name: dataset, split: 'test' },
              metrics: [
                { type: 'mean_average_precision', name: 'mAP', value: round(figures.mAP) },
                ...Object.entries(figures.precisionAt).map(([k, value]) => ({
                  type: `precision_at_${k}`,
                  name: `precision at ${k}`,
                  value: round(value),
                })),
              ],
            },
          ],
        },
      ],
    }),
  };
}

function usage(run: TrainedRun, file: string): string[] {
  const { model } = run.spec;
  return [
    `The input is ${model.imageSize} × ${model.imageSize} pixels, prepared as the table above says. Bit k of a code is 1 where output k is 0 or`,
    'more. Compare codes by their Hamming distance.',
    '',
    ...usageInPyTorch(run, file),
    '',
    `With fcaenet, to start a run from the backbone (this folder has \`${manifestName}\`):`,
    '',
    `${fence}yaml`,
    'spec:',
    '  model:',
    `    backbone: ${model.backbone}`,
    ...(isResnet(run) ? [] : [`    width: ${model.width}`]),
    '    weights: path/of/this/folder',
    fence,
  ];
}

const fence = '```';

function usageInPyTorch(run: TrainedRun, file: string): string[] {
  const { bits, method, model } = run.spec;
  const reads = `\`safetensors.torch.load_file("${file}")\` reads the tensors in PyTorch.`;
  const names = isResnet(run)
    ? "Those of the backbone have torchvision's names."
    : "They have the names of Keras's layers and PyTorch's shapes.";
  if (run.layout.head.name !== 'pooled') {
    return [
      `${reads} ${names}`,
      `The network of \`${method}\` has layers besides the backbone. The documentation of fcaenet says on its page “Export” what`,
      'they compute.',
    ];
  }
  if (!isResnet(run)) {
    return [
      `${reads} ${names}`,
      'torchvision has no MobileNetV1. The documentation of fcaenet has a module for it on its page “Use it from Python”.',
    ];
  }
  return [
    'With torchvision:',
    '',
    `${fence}python`,
    'from safetensors.torch import load_file',
    `from torchvision.models import ${model.backbone}`,
    '',
    `network = ${model.backbone}(num_classes=${bits})`,
    `network.load_state_dict(load_file("${file}"))`,
    'network.eval()',
    'bits = network(images) >= 0  # images: float32 [n, 3, height, width], normalised',
    fence,
  ];
}

function isResnet({ layout }: TrainedRun): boolean {
  return layout.trunk.naming === 'torchvision';
}

function round(value: number): number {
  return Number(value.toFixed(4));
}
