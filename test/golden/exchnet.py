"""Golden values of ExchNet, from its paper's equations, in NumPy: exchnet.json.

    python3 test/golden/exchnet.py > test/golden/exchnet.json

The whole network of a tiny backbone in train mode, with the exchange and every term of the loss, in float64. Nothing is
differentiated by hand: each derivative is a central difference of the loss. Inputs and weights are generated from names,
as support.ts and README.md say. Made with NumPy 2.4.
"""

import json

import numpy as np
from methods import ints, rounded, units, values, words

EPSILON = 1e-3


def signs(name, shape):
    return np.where(words(name, int(np.prod(shape))) >> np.uint64(31), 1.0, -1.0).reshape(shape)


def network(prefix, M, c):
    """Weights by name, `[out, in, kernel, kernel]`; the last stage (dw, pw) three times."""
    W = {}

    def convolution(name, shape, batch_norm):
        scale = np.sqrt(6 / np.prod(shape[1:]))
        W[f"{name}.weight"] = values(f"{prefix}/{name}.weight", shape, scale)
        offset = values(f"{prefix}/{batch_norm}.weight", shape[:1], 0.125)
        W[f"{batch_norm}.weight"] = np.float32(0.25 if batch_norm.endswith("bn3") else 1) + offset
        W[f"{batch_norm}.bias"] = values(f"{prefix}/{batch_norm}.bias", shape[:1], 0.125)

    def stage(branch):
        convolution(f"{branch}dw", (4, 1, 3, 3), f"{branch}bn2")
        convolution(f"{branch}pw", (6, 4, 1, 1), f"{branch}bn3")

    convolution("conv1", (4, 3, 3, 3), "bn1")
    stage("")
    stage("attention.")
    convolution("attention.maps", (M, 6, 1, 1), "attention.maps_bn")
    stage("local.")
    width = 6 * (M + 1)
    W["fc.weight"] = values(f"{prefix}/fc.weight", (c, width), np.sqrt(0.75 / width))
    W["fc.bias"] = values(f"{prefix}/fc.bias", (c,), 0.125)
    return {name: tensor.astype(np.float64) for name, tensor in W.items()}


def convolve(x, w, stride):
    """TensorFlow's `same`: the odd zero to the right and bottom. One kernel per channel where w has one input."""
    k = w.shape[2]
    sides = []
    for size in x.shape[2:]:
        count = -(-size // stride)
        total = max(0, (count - 1) * stride + k - size)
        sides.append((count, (total // 2, total - total // 2)))
    (h, top), (v, left) = sides
    padded = np.pad(x, ((0, 0), (0, 0), top, left))
    depthwise = w.shape[1] == 1 and x.shape[1] > 1
    y = 0
    for i in range(k):
        for j in range(k):
            window = padded[:, :, i : i + stride * h : stride, j : j + stride * v : stride][:, :, :h, :v]
            tap = w[:, :, i, j]
            y = y + (window * tap[:, 0, None, None] if depthwise else np.einsum("ncxy,oc->noxy", window, tap))
    return y


def layer(W, name, batch_norm, x, stride, most):
    """Convolution, batch normalisation by the batch's moments, ReLU up to `most`."""
    y = convolve(x, W[f"{name}.weight"], stride)
    mean = y.mean(axis=(0, 2, 3), keepdims=True)
    y = (y - mean) / np.sqrt(y.var(axis=(0, 2, 3), keepdims=True) + EPSILON)
    scale, offset = W[f"{batch_norm}.weight"], W[f"{batch_norm}.bias"]
    return np.clip(y * scale[:, None, None] + offset[:, None, None], 0, most)


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def hellinger(P):
    """The mean over pairs of the distances of distributions `[M, n]`."""
    M = len(P)
    pairs = [(i, j) for i in range(M) for j in range(i + 1, M)]
    return np.mean([np.sqrt(((np.sqrt(P[i]) - np.sqrt(P[j])) ** 2).sum()) for i, j in pairs]) / np.sqrt(2)


def forward(W, x, M, anchors, exchanged):
    """Codes, local features `[rows, M, 6]` before the exchange, and the maps' distances."""
    stage = lambda branch, x, stride: layer(
        W, f"{branch}pw", f"{branch}bn3", layer(W, f"{branch}dw", f"{branch}bn2", x, stride, 6), 1, 6
    )
    E = layer(W, "conv1", "bn1", x, 2, 6)
    A = layer(W, "attention.maps", "attention.maps_bn", stage("attention.", E, 1), 1, np.inf)
    # One batch of all parts, so batch normalisation has the moments of all.
    attended = np.concatenate([E * A[:, j : j + 1] for j in range(M)])
    F = stage("local.", attended, 2).reshape(M, len(x), 6, 3, 4).swapaxes(0, 1)
    f = F.mean(axis=(3, 4))
    maps = F.mean(axis=2).reshape(len(x), M, -1)
    hashed = np.where(exchanged[:, :, None], anchors, f)
    whole = stage("", E, 2).mean(axis=(2, 3))
    features = np.concatenate([hashed.reshape(len(x), -1), whole], axis=1)
    return np.tanh(features @ W["fc.weight"].T + W["fc.bias"]), f, maps


def case(M, c, margin, has_anchors):
    prefix, rows, batch, n, K = f"E/{M}-{c}", 4, 6, 20, 4
    weights = {"spatial": 0.75, "channel": 1.5, "alignment": 0.5}
    y = ints(prefix + "/labels", n, K)
    V = signs(prefix + "/V", (n, c))
    S = (y[:rows, None] == y[None, :]).astype(float)
    r = (y[:, None] == y[None, :]).sum() / (y[:, None] != y[None, :]).sum()
    S = np.where(S > 0, 1.0, -r)
    C = values(prefix + "/C", (K, M, 6), 2).astype(np.float64)
    exchanged = ints(prefix + "/exchanged", rows, 2**M)
    taken = (exchanged[:, None] >> np.arange(M)) & 1 if has_anchors else np.zeros((rows, M))
    anchors = C[y[:rows]]
    x = units(prefix + "/x", rows * 12 * 16 * 3).reshape(rows, 12, 16, 3).transpose(0, 3, 1, 2)
    W = network(prefix, M, c)

    def losses():
        u, f, maps = forward(W, x, M, anchors, taken > 0)
        similarity = ((u @ V.T - c * S) ** 2).sum() / (batch * n)
        spatial = sum(1 - hellinger(softmax(m)) for m in maps) / batch
        channel = sum(max(0, margin - hellinger(softmax(p))) for p in f) / batch
        alignment = ((f - anchors) ** 2).sum() / (batch * M * 6) if has_anchors else 0.0
        terms = [weights["spatial"] * spatial, weights["channel"] * channel, weights["alignment"] * alignment]
        return [similarity, 0.0, 0.0, 0.0, *terms], u, f

    found, u, f = losses()
    gradient = {}
    step = 1e-6
    for name, tensor in W.items():
        slopes = np.zeros(tensor.shape)
        for index in np.ndindex(*tensor.shape):
            value = tensor[index]
            both = []
            for moved in (value + step, value - step):
                tensor[index] = moved
                both.append(sum(losses()[0]))
            tensor[index] = value
            slopes[index] = (both[0] - both[1]) / (2 * step)
        gradient[name] = [float(f"{each:.6g}") for each in slopes.ravel()]
    return {
        "prefix": prefix,
        "parts": M,
        "c": c,
        "rows": rows,
        "batch": batch,
        "n": n,
        "K": K,
        "margin": margin,
        **weights,
        "anchors": has_anchors,
        "losses": rounded([float(each) for each in found]),
        "u": rounded(u.ravel().tolist()),
        "local": rounded(f.ravel().tolist()),
        "gradient": gradient,
    }


if __name__ == "__main__":
    print(json.dumps({"cases": [case(3, 5, 0.4, True), case(2, 4, 0.4, False), case(4, 3, 0.0, True)]}))
