import type { Command } from 'commander';
import { publishedWeights } from '../model/weights/catalogue.js';
import { addExamples } from './options.js';

export interface FetchWeightsOptions {
  /** Undefined uses the published file's name, in the working directory. */
  readonly output: string | undefined;
}

export interface WeightsActions {
  check(path: string): Promise<void>;
  convert(path: string, output: string): Promise<void>;
  fetch(name: string, options: FetchWeightsOptions): Promise<void>;
}

/** `fcaenet weights check`, `weights convert` and `weights fetch`: pretrained backbones. */
export function registerWeights(program: Command, actions: WeightsActions): void {
  const weights = program.command('weights').description('check, convert or fetch pretrained weights');
  const check = weights
    .command('check')
    .description('print the backbone of a weight file, and its faults')
    .argument('<FILE>', 'a .pth or .safetensors file, or the folder of a TF.js manifest');
  addExamples(check, ['npx fcaenet weights check weights/resnet50.pth']);
  check.action(async (path: string) => {
    await actions.check(path);
  });
  const convert = weights
    .command('convert')
    .description('write the backbone of a weight file as safetensors')
    .argument('<FILE>', 'a weight file of any kind that check supports')
    .argument('<OUT.safetensors>', 'a file that does not exist yet');
  addExamples(convert, ['npx fcaenet weights convert weights/resnet50.pth weights/resnet50.safetensors']);
  convert.action(async (path: string, output: string) => {
    await actions.convert(path, output);
  });
  const fetch = weights
    .command('fetch')
    .description('download published weights and check their SHA-256; continues an interrupted download')
    .argument('<NAME>', publishedWeights.map(({ name }) => name).join(', '))
    .option('--output <file>', 'output file (default: the published name, in the current folder)');
  addExamples(fetch, [
    'npx fcaenet weights fetch resnet50-imagenet1k-v1 --output weights/resnet50.pth',
    'npx fcaenet weights fetch mobilenet_v1-0.25-imagenet1k --output weights/mobilenet_v1-0.25.safetensors',
  ]);
  fetch.action(async (name: string, { output }: { output?: string }) => {
    await actions.fetch(name, { output });
  });
}
