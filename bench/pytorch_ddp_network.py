"""PyTorch's side of bench/network.mjs: one member of DistributedDataParallel over gloo, with a made-up computation.

usage: pytorch_ddp_network.py RANK MEMBERS ADDRESS SECONDS SIZES
ADDRESS is HOST:PORT of rank 0, SECONDS the computation of a step, SIZES a JSON file with the elements of each parameter.
A third of the time is the forward pass. The backward pass spends as much on each parameter, the last one first, so that
gradients are sent while others are computed, as with a real network.
Rank 0 reads a number of steps per line and writes the seconds they took, then the seconds of all processors together.
"""

import json
import sys
import time

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from pytorch_steps import serve_steps


class Layer(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, parameter, seconds):
        ctx.shape, ctx.seconds = parameter.shape, seconds
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        time.sleep(ctx.seconds)
        return gradient, torch.full(ctx.shape, 1e-6), None


class Network(torch.nn.Module):
    def __init__(self, sizes, seconds):
        super().__init__()
        self.layers = torch.nn.ParameterList(torch.nn.Parameter(torch.zeros(size)) for size in sizes)
        self.seconds = seconds

    def forward(self, x):
        time.sleep(self.seconds / 3)
        for parameter in self.layers:
            x = Layer.apply(x, parameter, self.seconds * 2 / 3 / len(self.layers))
        return x


def main():
    rank, members, address = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    seconds = float(sys.argv[4])
    with open(sys.argv[5], encoding="utf8") as file:
        sizes = json.load(file)
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"tcp://{address}", rank=rank, world_size=members)
    network = DistributedDataParallel(Network(sizes, seconds))
    x = torch.ones(1, requires_grad=True)
    serve_steps(rank, network.parameters(), 1e-6, lambda: network(x).sum())


main()
