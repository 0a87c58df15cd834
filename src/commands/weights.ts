import { type Command, InvalidArgumentError } from 'commander';
import type { PublishOptions } from '../export/publish-weights.js';
import { publishedWeights } from '../model/weights/catalogue.js';
import { addExamples } from './options.js';

export interface FetchWeightsOptions {
  /** Undefined uses the published file's name, in the working directory; a URL needs one. */
  readonly output: string | undefined;
}

export interface WeightsActions {
  check(path: string): Promise<void>;
  convert(path: string, output: string): Promise<void>;
  fetch(name: string, options: FetchWeightsOptions): Promise<void>;
  publish(options: PublishOptions): Promise<void>;
}

/** `fcaenet weights check`, `convert`, `fetch` and `publish`: pretrained backbones. */
export function registerWeights(program: Command, actions: WeightsActions): void {
  const weights = program
    .command('weights')
    .description('check, convert, fetch or publish pretrained weights');
  const check = weights
    .command('check')
    .description('print the backbone of a weight file, and its faults')
    .argument('<FILE>', 'a .pth or .safetensors file, or a folder with weights.json or model.json');
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
    .argument(
      '<NAME>',
      `${publishedWeights.map(({ name }) => name).join(', ')}, or the URL of a folder of weights publish`,
    )
    .option(
      '--output <file>',
      'output file (default: the published name, in the current folder); for a URL, the new folder',
    );
  addExamples(fetch, [
    'npx fcaenet weights fetch resnet50-imagenet1k-v1 --output weights/resnet50.pth',
    'npx fcaenet weights fetch mobilenet_v1-0.25-imagenet1k --output weights/mobilenet_v1-0.25.safetensors',
    'npx fcaenet weights fetch https://models.example/cub-48 --output weights/cub-48',
  ]);
  fetch.action(async (name: string, { output }: { output?: string }) => {
    await actions.fetch(name, { output });
  });
  const publish = weights
    .command('publish')
    .description('write the network of a run as a folder for others: safetensors, manifest, model card')
    .argument('<RUN_DIR>', 'the run’s directory, such as runs/quick')
    .argument('<OUT_DIR>', 'the folder for the files')
    .option('--checkpoint <name>', 'last, best, or the name of a checkpoint', 'last')
    .option(
      '--license <identifier>',
      'licence of the weights, such as cc-by-4.0',
      licenseIdentifier,
      'unknown',
    )
    .option('--overwrite', 'replace files that exist', false);
  addExamples(publish, [
    'npx fcaenet weights publish runs/cub published/cub-48 --checkpoint best --license cc-by-nc-4.0',
  ]);
  publish.action(async (runDirectory: string, output: string, flags: PublishFlags) => {
    await actions.publish({ ...flags, runDirectory, output });
  });
}

type PublishFlags = Pick<PublishOptions, 'checkpoint' | 'license' | 'overwrite'>;

/** An identifier of a licence as Hugging Face writes it: SPDX's in lower case. */
function licenseIdentifier(text: string): string {
  if (/^[a-z0-9][a-z0-9.+-]{0,63}$/.test(text)) return text;
  throw new InvalidArgumentError(
    'It must be an identifier of lower-case letters, digits, ".", "+" and "-", such as cc-by-4.0.',
  );
}
