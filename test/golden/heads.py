"""Golden values of networks with a head of their own, in NumPy: heads.json.

    python3 test/golden/heads.py > test/golden/heads.json

A trunk of five convolutions that halve the picture, the head of a method, and the hash layer, in training mode and in
evaluation mode. The derivatives of sum(G * z) by the parameters are central differences, of two steps that agree; of a
tensor with more than 48 elements, by elements 0, s, 2s and so on, with s its size // 24.
Inputs and weights are generated from names, as support.ts and networks.ts do. Made with NumPy 2.4.
"""

import json

import numpy as np
from methods import rounded, values

EPSILON = 1e-5
ROWS, HEIGHT, WIDTH, BITS = 3, 40, 24, 3
TRUNK = [("conv1", 3, 3), ("conv2", 3, 3), ("conv3", 3, 4), ("conv4", 4, 4), ("conv5", 4, 5)]
ATTENTION = [("attention1", 3, 16), ("attention2", 16, 32), ("attention3", 32, 32), ("attention4", 32, 1)]


def parameters(prefix, layers, width):
    """Weights by PyTorch's names, in its shapes."""
    found = {}
    for name, kernel, before, after, norm in layers:
        scale = np.sqrt(6 / (before * kernel * kernel))
        found[f"{name}.weight"] = values(f"{prefix}/{name}.weight", (after, before, kernel, kernel), scale)
        base = np.float32(0.25 if norm.endswith("bn3") else 1)
        found[f"{norm}.weight"] = base + values(f"{prefix}/{norm}.weight", (after,), 0.125)
        found[f"{norm}.bias"] = values(f"{prefix}/{norm}.bias", (after,), 0.125)
    found["fc.weight"] = values(f"{prefix}/fc.weight", (BITS, width), np.sqrt(0.75 / width))
    found["fc.bias"] = values(f"{prefix}/fc.bias", (BITS,), 0.125)
    return {name: tensor.astype(np.float64) for name, tensor in found.items()}


class Forward:
    """Layers of one pass over images `[rows, channels, height, width]`."""

    def __init__(self, prefix, weights, training):
        self.prefix, self.weights, self.training = prefix, weights, training

    def layer(self, x, name, norm, stride, rectified=True):
        """Convolution with zeros around it, batch normalisation, and ReLU where there is one."""
        w = self.weights[f"{name}.weight"]
        kernel = w.shape[2]
        edge = (kernel - 1) // 2
        x = np.pad(x, ((0, 0), (0, 0), (edge, edge), (edge, edge)))
        windows = np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), axis=(2, 3))
        y = np.einsum("nchwij,ocij->nohw", windows[:, :, ::stride, ::stride], w, optimize=True)
        if self.training:
            mean, variance = y.mean(axis=(0, 2, 3)), y.var(axis=(0, 2, 3))
        else:
            shape = (y.shape[1],)
            mean = values(f"{self.prefix}/{norm}.running_mean", shape, 0.125).astype(np.float64)
            variance = 1 + values(f"{self.prefix}/{norm}.running_var", shape, 0.25).astype(np.float64)
        y = (y - column(mean)) / np.sqrt(column(variance) + EPSILON)
        y = y * column(self.weights[f"{norm}.weight"]) + column(self.weights[f"{norm}.bias"])
        return np.maximum(y, 0) if rectified else y

    def hashed(self, features):
        """Outputs `[ROWS, BITS]`, or of each image those of several pictures side by side."""
        z = features @ self.weights["fc.weight"].T + self.weights["fc.bias"]
        return np.concatenate(np.split(z, len(z) // ROWS), axis=1)


def column(x):
    return x[None, :, None, None]


def pyramids(forward, x):
    """FPH: means of the two deep maps; of the fused two before them, over the whole map and over its quarters."""
    maps = []
    for index, (name, _, _) in enumerate(TRUNK):
        x = forward.layer(x, name, f"bn{index + 1}", 2)
        maps.append(x)
    a = forward.layer(maps[1], "pyramid1", "pyramid1_bn", 2)
    b = forward.layer(maps[2], "pyramid2", "pyramid2_bn", 1)
    fused = a + b + a * b
    h, w = fused.shape[2:]
    up, left = -(-h // 2), -(-w // 2)
    cells = [fused, fused[:, :, :up, :left], fused[:, :, :up, w - left :]]
    cells += [fused[:, :, h - up :, :left], fused[:, :, h - up :, w - left :]]
    return np.concatenate([each.mean(axis=(2, 3)) for each in [maps[3], maps[4], *cells]], axis=1)


def saliency(forward, x):
    """DaSH: pictures times a map of their own; in training, means of the attended pictures, then of the whole ones, each kind
    with the moments of its own."""
    y = x
    for name, _, _ in ATTENTION[:-1]:
        y = forward.layer(y, name, f"{name}_bn", 2)
    name = ATTENTION[-1][0]
    y = forward.layer(y, name, f"{name}_bn", 1, rectified=False)
    y = (y - y.mean(axis=(2, 3), keepdims=True)) / np.sqrt(y.var(axis=(2, 3), keepdims=True) + 0.01)
    attention = 2 / (1 + np.exp(-y / 2))
    enlarged = attention.repeat(8, axis=2).repeat(8, axis=3)[:, :, : x.shape[2], : x.shape[3]]
    seen = x * enlarged

    def pooled(x):
        for index, (name, _, _) in enumerate(TRUNK):
            x = forward.layer(x, name, f"bn{index + 1}", 2)
        return x.mean(axis=(2, 3))

    return np.concatenate([pooled(seen), pooled(x)]) if forward.training else pooled(seen)


def differences(loss, tensor, step):
    """Central differences of a loss by elements of a tensor that it reads."""
    result = []
    flat = tensor.reshape(-1)
    for index in range(0, tensor.size, max(1, tensor.size // 24)):
        kept = flat[index]
        flat[index] = kept + step
        above = loss()
        flat[index] = kept - step
        result.append((above - loss()) / (2 * step))
        flat[index] = kept
    return np.array(result)


def case(head, layers, width):
    prefix = f"H/{head.__name__}"
    images = values(prefix + "/x", (ROWS, 3, HEIGHT, WIDTH), 1).astype(np.float64)
    weights = parameters(prefix, layers, width)

    def z(training):
        forward = Forward(prefix, weights, training)
        return forward.hashed(head(forward, images))

    G = values(prefix + "/G", z(True).shape, 1).astype(np.float64)
    gradients = {}
    for name, tensor in weights.items():
        first, second = (differences(lambda: (G * z(True)).sum(), tensor, step) for step in (1e-6, 4e-6))
        assert np.abs(first - second).max() < 1e-6 * (1 + np.abs(first).max()), name
        gradients[name] = rounded(first.tolist())
    return {
        "head": head.__name__,
        "prefix": prefix,
        "z": rounded(z(True).ravel().tolist()),
        "u": rounded(np.tanh(z(False)).ravel().tolist()),
        "gradients": gradients,
    }


if __name__ == "__main__":
    trunk = [(name, 3, before, after, f"bn{index + 1}") for index, (name, before, after) in enumerate(TRUNK)]
    own = [("pyramid1", 3, 3, 4, "pyramid1_bn"), ("pyramid2", 1, 4, 4, "pyramid2_bn")]
    cases = [case(pyramids, trunk + own, 4 + 5 + 5 * 4)]
    own = [(name, 1 if after == 1 else 3, before, after, f"{name}_bn") for name, before, after in ATTENTION]
    cases.append(case(saliency, trunk + own, 5))
    print(json.dumps({"rows": ROWS, "height": HEIGHT, "width": WIDTH, "bits": BITS, "cases": cases}))
