import type { Backbone } from '../run/training-run.js';
import type { Trunk } from './architecture.js';
import { mobilenetTrunk } from './mobilenet.js';
import { resnetTrunk } from './resnet.js';

interface BackboneDefinition {
  /** @param width factor of the channel counts; 1 where the backbone has none */
  trunk(width: number): Trunk;
}

/** Everything that a backbone is, by its name in the run file. */
export const backboneDefinitions: Readonly<Record<Backbone, BackboneDefinition>> = {
  resnet18: { trunk: () => resnetTrunk(18) },
  resnet50: { trunk: () => resnetTrunk(50) },
  mobilenet_v1: { trunk: mobilenetTrunk },
};

/** The names of all backbones by whose names their tensors have: `resnet18 or resnet50 in torchvision's names or …`. */
export function describeBackbones(): string {
  const owners = { torchvision: 'torchvision', keras: 'Keras' } as const;
  return (['torchvision', 'keras'] as const)
    .map((naming) => {
      const names = Object.entries(backboneDefinitions)
        .filter(([, { trunk }]) => trunk(1).naming === naming)
        .map(([name]) => name);
      return `${names.join(' or ')} in ${owners[naming]}'s names`;
    })
    .join(' or ');
}
