"""Golden values of FCAENet's forward passes and their batch normalisation, in NumPy: passes.json.

    python3 test/golden/passes.py > test/golden/passes.json

One microbatch of a tiny network in train mode, in float64: which images are one batch of batch normalisation, SREM's
mask, the whole loss, and the running statistics after the step. Nothing is differentiated by hand: each derivative is a
central difference of the loss, with the mask as it is. Inputs and weights are generated from names, as support.ts and
README.md say. Made with NumPy 1.26.
"""

import json

import numpy as np
from exchnet import EPSILON, convolve, signs
from methods import ints, rounded, units, values

PREFIX = "B2"
ROWS, BATCH, HEIGHT, WIDTH, BITS = 4, 6, 12, 16, 5
N, CLASSES = 24, 4
GAMMA, ALPHA, BETA = 2.0, 3000.0, 5000.0
REGIONS, SIDE = 6, 4
MOMENTUM = 0.1
LAYERS = [("conv1", "bn1", (4, 3, 3, 3), 2), ("dw", "bn2", (4, 1, 3, 3), 2), ("pw", "bn3", (6, 4, 1, 1), 1)]
STEP = 1e-6


def network(prefix):
    W = {}
    for name, norm, shape, _ in LAYERS:
        W[f"{name}.weight"] = values(f"{prefix}/{name}.weight", shape, np.sqrt(6 / np.prod(shape[1:])))
        base = np.float32(0.25 if norm.endswith("bn3") else 1)
        W[f"{norm}.weight"] = base + values(f"{prefix}/{norm}.weight", shape[:1], 0.125)
        W[f"{norm}.bias"] = values(f"{prefix}/{norm}.bias", shape[:1], 0.125)
    W["fc.weight"] = values(f"{prefix}/fc.weight", (BITS, 6), np.sqrt(0.75 / 6))
    W["fc.bias"] = values(f"{prefix}/fc.bias", (BITS,), 0.125)
    return {name: tensor.astype(np.float64) for name, tensor in W.items()}


def forward(W, x):
    """Outputs, the last map, and of every BatchNorm its name, mean and unbiased variance over all of `x`."""
    moments = []
    for name, norm, _, stride in LAYERS:
        y = convolve(x, W[f"{name}.weight"], stride)
        mean, variance = y.mean(axis=(0, 2, 3)), y.var(axis=(0, 2, 3))
        moments.append((norm, mean, y.var(axis=(0, 2, 3), ddof=1)))
        y = (y - mean[:, None, None]) / np.sqrt(variance[:, None, None] + EPSILON)
        x = np.clip(y * W[f"{norm}.weight"][:, None, None] + W[f"{norm}.bias"][:, None, None], 0, 6)
    return np.tanh(x.mean(axis=(2, 3)) @ W["fc.weight"].T + W["fc.bias"]), x, moments


def enlarged(A, height, width):
    """Bilinear, between centres of pixels, the outermost repeated."""
    for axis, size in ((0, height), (1, width)):
        count = A.shape[axis]
        place = np.clip((np.arange(size) + 0.5) * count / size - 0.5, 0, count - 1)
        low = np.floor(place).astype(int)
        high = np.minimum(low + 1, count - 1)
        share = (place - low).reshape(-1, 1) if axis == 0 else place - low
        A = np.take(A, low, axis) + share * (np.take(A, high, axis) - np.take(A, low, axis))
    return A


def mask_of(F):
    """Kept pixels of an image with the map `F` `[channels, h, w]`: squares to the right of and below the hottest are not."""
    A = enlarged(F.mean(axis=0), HEIGHT, WIDTH).ravel()
    order = np.argsort(-A, kind="stable")
    edge = A[order[REGIONS - 1]] - A[order[REGIONS]]
    assert edge < 1e-12 or edge > 1e-4, "the hottest pixels depend on rounding"
    mask = np.ones((HEIGHT, WIDTH))
    for place in order[:REGIONS]:
        y, x = divmod(place, WIDTH)
        mask[y : y + SIDE, x : x + SIDE] = 0
    return mask


def passes(W, images, apart, mask):
    """Outputs by branch, the moments of each pass in order, and the anchors' maps."""
    has_positives, has_erased = "positive" in images, mask is not None
    together = [images["anchor"]] + ([images["positive"]] if has_positives and not apart else [])
    u, F, moments = forward(W, np.concatenate(together))
    outputs, each = {"anchor": u[:ROWS]}, [moments]
    if has_positives and not apart:
        outputs["positive"] = u[ROWS:]
    if has_positives and apart:
        outputs["positive"], _, moments = forward(W, images["positive"])
        each.append(moments)
    if has_erased:
        outputs["erased"], _, moments = forward(W, images["anchor"] * mask[:, None])
        each.append(moments)
    return outputs, each, F[:ROWS]


def case(method, positives, running):
    prefix = PREFIX
    apart = positives == "apart"
    y = ints(prefix + "/labels", N, CLASSES)
    V = signs(prefix + "/V", (N, BITS))
    r = (y[:, None] == y[None, :]).sum() / (y[:, None] != y[None, :]).sum()
    S = np.where(y[:ROWS, None] == y[None, :], 1.0, -r)

    def pictures(name):
        flat = units(f"{prefix}/{name}", ROWS * HEIGHT * WIDTH * 3)
        return flat.reshape(ROWS, HEIGHT, WIDTH, 3).transpose(0, 3, 1, 2)

    images = {"anchor": pictures("x")}
    if method in ("esrl", "fcaenet"):
        images["positive"] = 0.5 + 0.75 * pictures("xp")
    W = network(prefix)
    mask = None
    if method in ("srem", "fcaenet"):
        mask = np.stack([mask_of(F) for F in passes(W, images, apart, None)[2]])

    def losses():
        outputs, each, _ = passes(W, images, apart, mask)
        u = outputs["anchor"]
        terms = [((u @ V.T - BITS * S) ** 2).sum() / (BATCH * N), GAMMA * ((V[:ROWS] - u) ** 2).sum() / (BATCH * N)]
        for branch, weight in (("positive", ALPHA), ("erased", BETA)):
            distance = ((u - outputs[branch]) ** 2).sum() if branch in outputs else 0.0
            terms.append(weight * distance / (BATCH * BITS))
        return terms, outputs, each

    terms, outputs, each = losses()
    gradient = {}
    for name, tensor in W.items():
        slopes = []
        for step in (STEP, 4 * STEP):
            found = np.zeros(tensor.size)
            flat = tensor.reshape(-1)
            for index in range(tensor.size):
                kept = flat[index]
                flat[index] = kept + step
                above = sum(losses()[0])
                flat[index] = kept - step
                found[index] = (above - sum(losses()[0])) / (2 * step)
                flat[index] = kept
            slopes.append(found)
        assert np.abs(slopes[0] - slopes[1]).max() < 1e-6 * (1 + np.abs(slopes[0]).max()), name
        gradient[name] = [float(f"{each:.6g}") for each in slopes[0]]
    statistics = {}
    for _, norm, shape, _ in LAYERS:
        statistics[f"{norm}.running_mean"] = values(f"{prefix}/{norm}.running_mean", shape[:1], 0.125).astype(float)
        statistics[f"{norm}.running_var"] = 1 + values(f"{prefix}/{norm}.running_var", shape[:1], 0.25).astype(float)
    for moments in each[:1] if running == "anchors" else each:
        for norm, mean, variance in moments:
            for kind, new in (("mean", mean), ("var", variance)):
                old = statistics[f"{norm}.running_{kind}"]
                statistics[f"{norm}.running_{kind}"] = (1 - MOMENTUM) * old + MOMENTUM * new
    return {
        "method": method,
        "positives": positives,
        "runningStatistics": running,
        "losses": rounded([float(term) for term in terms]),
        "u": {branch: rounded(u.ravel().tolist()) for branch, u in outputs.items()},
        "mask": None if mask is None else ["".join("01"[int(v)] for v in row) for image in mask for row in image],
        "gradient": gradient,
        "statistics": {name: rounded(tensor.tolist()) for name, tensor in statistics.items()},
    }


CASES = [
    ("fcaenet", "with-anchors", "every-pass"),
    ("fcaenet", "with-anchors", "anchors"),
    ("fcaenet", "apart", "every-pass"),
    ("fcaenet", "apart", "anchors"),
    ("esrl", "apart", "every-pass"),
    ("esrl", "apart", "anchors"),
    ("srem", "with-anchors", "anchors"),
]

if __name__ == "__main__":
    shared = {"prefix": PREFIX, "rows": ROWS, "batch": BATCH, "height": HEIGHT, "width": WIDTH, "bits": BITS, "n": N}
    shared |= {"K": CLASSES, "gamma": GAMMA, "alpha": ALPHA, "beta": BETA, "k": REGIONS, "s": SIDE}
    print(json.dumps({**shared, "cases": [case(*each) for each in CASES]}))
