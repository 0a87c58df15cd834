/** A number that a run file may set for one method. */
export interface NumberSetting {
  /** Its value in the method's publication. */
  readonly published: number;
  readonly least: number;
  readonly most: number;
  readonly isWhole: boolean;
}

/**
 * The settings that belong to single methods, as `spec.itq.iterations`. A group has the name of its method.
 * docs/methods.md has their sources.
 */
export const methodSettings = {
  dpsh: {
    /** η: the weight of the distance between outputs and their signs. */
    eta: { published: 10, least: 0, most: 1e6, isWhole: false },
  },
  dsh: {
    /** m / bits: the squared distance from which on dissimilar pairs are far enough. */
    margin: { published: 2, least: 0, most: 1e6, isWhole: false },
    /** α: the weight of the distance of magnitudes to 1. */
    alpha: { published: 0.01, least: 0, most: 1e6, isWhole: false },
  },
  hashnet: {
    /** α · bits: the slope of the likelihood's sigmoid. */
    sigmoid: { published: 10, least: 1e-6, most: 1e6, isWhole: false },
    /** Steps after which β grows. */
    stepSize: { published: 200, least: 1, most: 1_000_000_000, isWhole: true },
    /** β is (1 + growth · steps)^power. */
    growth: { published: 0.005, least: 0, most: 1e6, isWhole: false },
    power: { published: 0.5, least: 0, most: 10, isWhole: false },
  },
  fph: {
    /**
     * m / bits: by how much more an image of another class differs than one of the same. The publication's value could
     * not be read, so this is the project's.
     */
    margin: { published: 0.25, least: 0, most: 1, isWhole: false },
  },
  /** The project's values: those of the publication could not be read. */
  dash: {
    /** λ: the weight of the saliency loss. */
    saliency: { published: 1, least: 0, most: 1e6, isWhole: false },
    /** m / bits: by how much attended pictures are to be nearer or farther than whole ones. */
    margin: { published: 0.1, least: 0, most: 4, isWhole: false },
    /** η: the weight of the distance between outputs and their signs. */
    eta: { published: 0.01, least: 0, most: 1e6, isWhole: false },
  },
  exchnet: {
    /** M: attention maps, and so local features. */
    parts: { published: 4, least: 2, most: 16, isWhole: true },
    /** λ₁: the weight of the overlap of the local feature maps. */
    spatial: { published: 1, least: 0, most: 1e6, isWhole: false },
    /** λ₂: the weight of the likeness of the local features' channels. */
    channel: { published: 1, least: 0, most: 1e6, isWhole: false },
    /** t: the mean Hellinger distance of channels from which on they are different enough. */
    margin: { published: 0.4, least: 0, most: 1, isWhole: false },
    /** λ₃: the weight of the distance of local features to those of their class. */
    alignment: { published: 1, least: 0, most: 1e6, isWhole: false },
    /** The probability that a local feature is exchanged for that of its class. */
    exchange: { published: 0.5, least: 0, most: 1, isWhole: false },
    /** The share of the iterations that is trained before there are features of the classes. */
    start: { published: 0.875, least: 0, most: 1, isWhole: false },
  },
  itq: {
    /** Updates of the rotation. */
    iterations: { published: 50, least: 1, most: 10_000, isWhole: true },
  },
  sdh: {
    /** Training images that features are compared with; all, if there are fewer. */
    anchors: { published: 1000, least: 1, most: 100_000, isWhole: true },
    /** σ: the width of the kernel, for centred features of length 1. */
    sigma: { published: 0.4, least: 1e-3, most: 1e3, isWhole: false },
    /** λ: the weight of |W|². */
    lambda: { published: 1, least: 1e-6, most: 1e6, isWhole: false },
    /** ν: the weight of the distance between codes and hash function. */
    nu: { published: 1e-5, least: 0, most: 1e6, isWhole: false },
    /** δ: the weight of |P|² relative to that distance. */
    delta: { published: 0.01, least: 1e-6, most: 1e6, isWhole: false },
    /** Rounds of updates of B, W and P. */
    iterations: { published: 5, least: 1, most: 10_000, isWhole: true },
  },
} as const satisfies Record<string, Record<string, NumberSetting>>;

type Settings = typeof methodSettings;
export type MethodSettings = {
  readonly [Group in keyof Settings]: { readonly [Name in keyof Settings[Group]]: number };
};

/** The published value of every setting. */
export const publishedSettings = Object.fromEntries(
  Object.entries(methodSettings).map(([group, settings]) => [
    group,
    Object.fromEntries(Object.entries(settings).map(([name, { published }]) => [name, published])),
  ]),
) as MethodSettings;

/** The methods' settings among others. */
export function methodSettingsOf(settings: MethodSettings): MethodSettings {
  return Object.fromEntries(
    Object.entries(settings).filter(([group]) => Object.hasOwn(methodSettings, group)),
  ) as MethodSettings;
}
