"""FAISS' side of bench/search.mjs: the nearest codes of queries, one query at a time on one thread.

usage: search_faiss.py CODES QUERIES BYTES NEAREST flat|multihash

CODES and QUERIES are files of packed codes. First writes the version, the memory of the index and the distances it finds.
Then reads a number of queries per line, and writes the seconds they took, then the processor's seconds.
"""

import json
import resource
import sys
import time

import faiss
import numpy as np

codes_file, queries_file, byte_count, nearest, kind = sys.argv[1:]
width, k = int(byte_count), int(nearest)
codes = np.fromfile(codes_file, dtype=np.uint8).reshape(-1, width)
queries = np.fromfile(queries_file, dtype=np.uint8).reshape(-1, width)
faiss.omp_set_num_threads(1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
if kind == "flat":
    index = faiss.IndexBinaryFlat(8 * width)
else:
    # Tables of 16 bits each; buckets within one bit of the query's are looked at.
    index = faiss.IndexBinaryMultiHash(8 * width, width // 2, 16)
    index.nflip = 1
index.add(codes)
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
distances = [index.search(query[None], k)[0][0].tolist() for query in queries]
about = {"version": faiss.__version__, "memoryBytes": grown, "distances": distances}
print(json.dumps(about, separators=(",", ":")), flush=True)

place = 0
for line in sys.stdin:
    started, processor = time.perf_counter(), time.process_time()
    for _ in range(int(line)):
        index.search(queries[place % len(queries)][None], k)
        place += 1
    print(time.perf_counter() - started, time.process_time() - processor, flush=True)
