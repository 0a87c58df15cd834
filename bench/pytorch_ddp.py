"""PyTorch's side of bench/ddp.mjs: DistributedDataParallel over gloo, two processes with one thread each.

usage: pytorch_ddp.py NETWORK BATCH SIZE PORT (BATCH is that of each process)
Reads a number of steps per line, writes the seconds they took, then the seconds of both processors together.
"""

import os
import subprocess
import sys

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from pytorch_engine import network_of
from pytorch_steps import serve_steps

processes = 2


def main():
    name, batch, size = sys.argv[1], *map(int, sys.argv[2:4])
    rank = int(os.environ.get("RANK", 0))
    if rank == 0:
        subprocess.Popen([sys.executable, *sys.argv], env={**os.environ, "RANK": "1"}, stdin=subprocess.DEVNULL)
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"tcp://127.0.0.1:{sys.argv[4]}", rank=rank, world_size=processes)
    network = DistributedDataParallel(network_of(name))
    images = torch.randn(batch, 3, size, size)
    serve_steps(rank, network.parameters(), 1e-3, lambda: network(images).square().sum())


main()
