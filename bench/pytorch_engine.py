"""PyTorch's side of bench/engine.mjs: trains one network, a number of steps at a time.

usage: pytorch_engine.py NETWORK BATCH SIZE THREADS
Reads a number of steps per line, writes the seconds they took, then the processor's seconds.
"""

import sys
import time

import torch
from torch import nn


class Same(nn.Module):
    """TensorFlow's "same" padding for a 3 x 3 kernel with stride 2 on an even size: one row and column after."""

    def forward(self, x):
        return nn.functional.pad(x, (0, 1, 0, 1))


def filtered(inputs, outputs, kernel, stride, padding, activation, groups=1):
    layers = [
        nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return layers + ([activation(inplace=True)] if activation else [])


def mobilenet(width):
    plan = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] + 5 * [(512, 1)] + [(1024, 2), (1024, 1)]
    channels = int(32 * width)
    layers = [Same(), *filtered(3, channels, 3, 2, 0, nn.ReLU6)]
    for filters, stride in plan:
        if stride == 2:
            layers.append(Same())
        layers += filtered(channels, channels, 3, stride, 2 - stride, nn.ReLU6, groups=channels)
        layers += filtered(channels, int(filters * width), 1, 1, 0, nn.ReLU6)
        channels = int(filters * width)
    return nn.Sequential(*layers), channels


class Residual(nn.Module):
    def __init__(self, main, shortcut):
        super().__init__()
        self.main = nn.Sequential(*main)
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x):
        return torch.relu_(self.main(x) + self.shortcut(x))


def resnet(depth):
    layers = [*filtered(3, 64, 7, 2, 3, nn.ReLU), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for stage, count in enumerate([2, 2, 2, 2] if depth == 18 else [3, 4, 6, 3]):
        width = 64 * 2**stage
        for index in range(count):
            stride = 2 if stage > 0 and index == 0 else 1
            if depth == 18:
                outputs = width
                main = filtered(channels, width, 3, stride, 1, nn.ReLU) + filtered(width, width, 3, 1, 1, None)
            else:
                outputs = 4 * width
                main = (
                    filtered(channels, width, 1, 1, 0, nn.ReLU)
                    + filtered(width, width, 3, stride, 1, nn.ReLU)
                    + filtered(width, outputs, 1, 1, 0, None)
                )
            changes = stride != 1 or channels != outputs
            layers.append(Residual(main, filtered(channels, outputs, 1, stride, 0, None) if changes else []))
            channels = outputs
    return nn.Sequential(*layers), channels


def network_of(name):
    torch.manual_seed(0)
    trunk, width = mobilenet(0.25) if name == "mobilenet_v1" else resnet(int(name[6:]))
    return nn.Sequential(trunk, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 48), nn.Tanh())


def main():
    name, batch, size, threads = sys.argv[1], *map(int, sys.argv[2:])
    torch.set_num_threads(threads)
    network = network_of(name)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-5)
    images = torch.randn(batch, 3, size, size)
    print("ready", torch.__version__, flush=True)
    for line in sys.stdin:
        start, processor = time.perf_counter(), time.process_time()
        for _ in range(int(line)):
            optimizer.zero_grad()
            network(images).square().sum().backward()
            optimizer.step()
        print(time.perf_counter() - start, time.process_time() - processor, flush=True)


if __name__ == "__main__":
    main()
