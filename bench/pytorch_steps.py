"""The steps of the benchmarks' sides in DistributedDataParallel: as many as rank 0 reads, and what they took."""

import sys
import time

import torch
import torch.distributed as dist


def serve_steps(rank, parameters, learning_rate, loss):
    """Rank 0 reads a number of steps per line and writes their seconds, then the seconds of all processors together.

    loss computes the loss of a step. Returns at the end of the input, or where a line says 0.
    """
    optimizer = torch.optim.SGD(parameters, lr=learning_rate, momentum=0.9, weight_decay=1e-5)
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
            loss().backward()
            optimizer.step()
        clock = time.perf_counter() - start
        used = torch.tensor([time.process_time() - processor])
        dist.all_reduce(used)
        if rank == 0:
            print(clock, used.item(), flush=True)
