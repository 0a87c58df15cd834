"""PyTorch's side of bench/class_sets.mjs: ADSH (Jiang and Li, AAAI 2018) on pictures in the layout of CUB-200-2011.

usage: pytorch_adsh.py SETTINGS, a JSON object: root, weights (a folder with a TensorFlow.js model.json), width, imageSize,
bits, gamma, sampleSize, iterations, epochs, batchSize, microbatches, learningRate, decayAfter, momentum, weightDecay, seed
Writes the mAP of all queries after each iteration, one line each, as JSON. All random choices are PyTorch's own.
"""

import json
import os
import sys

import numpy as np
import torch
from PIL import Image
from torch import nn

from pytorch_engine import mobilenet


def read_pictures(root, size):
    """Bytes [images, 3, size, size] and classes [images] of both splits, in the order of images.txt."""

    def column(name):
        with open(os.path.join(root, name)) as lines:
            return [line.split(maxsplit=1)[1].strip() for line in lines]

    pictures = np.stack(
        [
            np.asarray(Image.open(os.path.join(root, "images", path)).convert("RGB").resize((size, size), Image.BILINEAR))
            for path in column("images.txt")
        ]
    )
    pictures = torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous()
    classes = np.unique([int(text) for text in column("image_class_labels.txt")], return_inverse=True)[1]
    train = torch.tensor([text == "1" for text in column("train_test_split.txt")])
    classes = torch.from_numpy(classes)
    return (pictures[train], classes[train]), (pictures[~train], classes[~train])


def read_weights(folder):
    """Arrays by name of a TensorFlow.js weights manifest, all float32."""
    with open(os.path.join(folder, "model.json")) as file:
        groups = json.load(file)["weightsManifest"]
    arrays = {}
    for group in groups:
        data = b"".join(open(os.path.join(folder, path), "rb").read() for path in group["paths"])
        offset = 0
        for weight in group["weights"]:
            count = int(np.prod(weight["shape"]))
            arrays[weight["name"]] = np.frombuffer(data, np.float32, count, offset).reshape(weight["shape"])
            offset += 4 * count
    return arrays


def pretrained_mobilenet(width, folder):
    """A MobileNetV1 with Keras's weights: the convolutions and batch normalisations stand in the manifest's order."""
    trunk, channels = mobilenet(width)
    arrays = read_weights(folder)
    kernels = [array for name, array in arrays.items() if name.endswith("kernel") and not name.startswith("conv_preds")]
    prefixes = [name[: -len("gamma")] for name in arrays if name.endswith("gamma")]
    convolutions = [layer for layer in trunk if isinstance(layer, nn.Conv2d)]
    norms = [layer for layer in trunk if isinstance(layer, nn.BatchNorm2d)]
    assert len(kernels) == len(convolutions) and len(prefixes) == len(norms)
    with torch.no_grad():
        for layer, kernel in zip(convolutions, kernels):
            depthwise = layer.groups > 1
            layer.weight.copy_(torch.tensor(kernel).permute((2, 3, 0, 1) if depthwise else (3, 2, 0, 1)))
        for layer, prefix in zip(norms, prefixes):
            layer.eps = 1e-3
            for target, name in [
                (layer.weight, "gamma"),
                (layer.bias, "beta"),
                (layer.running_mean, "moving_mean"),
                (layer.running_var, "moving_variance"),
            ]:
                target.copy_(torch.tensor(arrays[prefix + name]))
    return trunk, channels


def prepared(pictures):
    return pictures.float() / 127.5 - 1


@torch.no_grad()
def outputs_of(network, pictures):
    network.eval()
    return torch.cat([network(prepared(part)) for part in pictures.split(128)])


def softening(classes, sampled, class_sizes):
    """r of the softened similarity matrix: its similar pairs, divided by the others."""
    own = torch.bincount(classes[sampled], minlength=len(class_sizes))
    similar = (own * class_sizes).sum().item()
    return similar / (len(sampled) * len(classes) - similar)


def similarity_to_classes(classes, summed, total, ratio):
    """Rows of Sᵀ U: (1 + r) times the sum of the outputs of the own class, less r times that of all."""
    return (1 + ratio) * summed[classes] - ratio * total


def v_step(codes, classes, sampled, outputs, gamma, class_count, ratio):
    """One sweep over the bits: V_k ← sign(c Sᵀ U_k + γ Ū_k − V̂ Ûᵀ U_k), S softened by `ratio` (ADSH, equation 10)."""
    bits = codes.shape[1]
    summed = torch.zeros(class_count, bits).index_add_(0, classes[sampled], outputs)
    q = bits * similarity_to_classes(classes, summed, outputs.sum(0), ratio)
    q[sampled] += gamma * outputs
    gram = outputs.T @ outputs
    for bit in range(bits):
        products = codes @ gram[:, bit] - codes[:, bit] * gram[bit, bit]
        codes[:, bit] = torch.where(q[:, bit] - products >= 0, 1.0, -1.0)
    return codes


def mean_average_precision(query_codes, query_classes, codes, classes):
    """Over the whole database; images of equal distance stand in the order of the list."""
    distances = (codes.shape[1] - query_codes @ codes.T) / 2
    order = distances.argsort(dim=1, stable=True)
    relevant = (classes[order] == query_classes[:, None]).double()
    precision = relevant.cumsum(1) / torch.arange(1, len(classes) + 1)
    return ((precision * relevant).sum(1) / relevant.sum(1)).mean().item()


def main():
    settings = json.loads(sys.argv[1])
    torch.set_num_threads(1)
    torch.manual_seed(settings["seed"])
    (pictures, classes), (queries, query_classes) = read_pictures(settings["root"], settings["imageSize"])
    class_count = int(classes.max()) + 1
    bits, gamma = settings["bits"], settings["gamma"]
    trunk, channels = pretrained_mobilenet(settings["width"], settings["weights"])
    network = nn.Sequential(trunk, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, bits), nn.Tanh())
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=settings["learningRate"],
        momentum=settings["momentum"],
        weight_decay=settings["weightDecay"],
    )
    images = len(classes)
    codes = torch.randint(0, 2, (images, bits)).float() * 2 - 1
    class_sizes = torch.bincount(classes, minlength=class_count)
    for iteration in range(1, settings["iterations"] + 1):
        sampled = torch.randperm(images)[: settings["sampleSize"]]
        ratio = softening(classes, sampled, class_sizes)
        gram = codes.T @ codes
        # Rows of S V and Σⱼ Sᵢⱼ², which are those of the image's class
        summed = torch.zeros(class_count, bits).index_add_(0, classes, codes)
        targets = similarity_to_classes(torch.arange(class_count), summed, codes.sum(0), ratio)
        squares = class_sizes + ratio**2 * (images - class_sizes)
        for _ in range(settings["epochs"]):
            for batch in sampled[torch.randperm(len(sampled))].split(settings["batchSize"]):
                network.train()
                optimizer.zero_grad()
                # Batch normalisation sees one microbatch, as on a worker.
                for rows in batch.tensor_split(min(settings["microbatches"], len(batch))):
                    u = network(prepared(pictures[rows]))
                    similarity = (
                        ((u @ gram) * u).sum()
                        - 2 * bits * (u * targets[classes[rows]]).sum()
                        + bits**2 * squares[classes[rows]].sum()
                    )
                    quantisation = gamma * (u - codes[rows]).square().sum()
                    ((similarity + quantisation) / (len(batch) * images)).backward()
                optimizer.step()
        codes = v_step(codes, classes, sampled, outputs_of(network, pictures[sampled]), gamma, class_count, ratio)
        if iteration in settings["decayAfter"]:
            for group in optimizer.param_groups:
                group["lr"] *= 0.1
        query_codes = torch.where(outputs_of(network, queries) >= 0, 1.0, -1.0)
        found = mean_average_precision(query_codes, query_classes, codes, classes)
        print(json.dumps({"iteration": iteration, "mAP": found}), flush=True)


main()
