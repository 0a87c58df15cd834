"""PyTorch's side of bench/ddp.mjs: DistributedDataParallel over gloo, two processes with one thread each.

usage: pytorch_ddp.py NETWORK BATCH SIZE PORT (BATCH is that of each process)
Reads a number of steps per line, writes the seconds they took, then the seconds of both processors together.
"""

import os
import subprocess
import sys
import time

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from pytorch_engine import network_of

processes = 2


def main():
    name, batch, size = sys.argv[1], *map(int, sys.argv[2:4])
    rank = int(os.environ.get("RANK", 0))
    if rank == 0:
        subprocess.Popen([sys.executable, *sys.argv], env={**os.environ, "RANK": "1"}, stdin=subprocess.DEVNULL)
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"tcp://127.0.0.1:{sys.argv[4]}", rank=rank, world_size=processes)
    network = DistributedDataParallel(network_of(name))
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-5)
    images = torch.randn(batch, 3, size, size)
    if rank == 0:
        print("ready", torch.__version__, flush=True)
    while True:
        line = sys.stdin.readline() if rank == 0 else ""
        steps = torch.tensor([int(line) if line else 0])
        dist.broadcast(steps, 0)
        if steps.item() == 0:
            return
        start, processor = time.perf_counter(), time.process_time()
        for _ in range(steps.item()):
            optimizer.zero_grad()
            network(images).square().sum().backward()
            optimizer.step()
        used = torch.tensor([time.process_time() - processor])
        dist.all_reduce(used)
        if rank == 0:
            print(time.perf_counter() - start, used.item(), flush=True)


main()
