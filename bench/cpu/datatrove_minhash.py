#!/usr/bin/env python3
"""datatrove's MinHash deduplication (its four stages, 14 bands of 8 over 5-grams, 64-bit hashes, its default English
tokenizer) over files of JSON lines, two processes at a time. Prints one JSON object: seconds and processor seconds of the
stages that find duplicates (1 to 3), and of the one that writes what is kept (4). The keys of what was dropped go to
OUTPUT/dropped.txt.

    PYTHONPATH=datatrove/src datatrove_minhash.py INPUT OUTPUT
"""

import glob
import gzip
import importlib.metadata  # noqa: F401  datatrove asks for it without importing it
import json
import resource
import sys
import time

from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import (
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
)
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers.jsonl import JsonlWriter
from datatrove.utils.hashing import HashConfig
from datatrove.utils.text import TextNormConfig

TASKS = 8
WORKERS = 2


def processor_seconds():
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def run(pipeline, tasks, logs):
    # forked workers are waited for, so that their processor time is counted
    LocalPipelineExecutor(
        pipeline=pipeline, tasks=tasks, workers=min(tasks, WORKERS), logging_dir=logs, start_method="fork"
    ).run()


def main():
    source, output = sys.argv[1:]
    config = MinhashConfig(
        hash_config=HashConfig(precision=64),
        num_buckets=14,
        hashes_per_bucket=8,
        n_grams=5,
        # by default all numbers are one, and the documents measured differ by theirs
        norm_config=TextNormConfig(norm_numbers=False),
    )
    reader = JsonlReader(source, glob_pattern="*.json")
    times = [(time.time(), processor_seconds())]
    run([reader, MinhashDedupSignature(f"{output}/signatures", config=config)], TASKS, f"{output}/logs/1")
    run(
        [MinhashDedupBuckets(f"{output}/signatures", f"{output}/buckets", config=config)],
        config.num_buckets,
        f"{output}/logs/2",
    )
    run([MinhashDedupCluster(f"{output}/buckets", f"{output}/remove", config=config)], 1, f"{output}/logs/3")
    times.append((time.time(), processor_seconds()))
    run(
        [
            reader,
            MinhashDedupFilter(f"{output}/remove", exclusion_writer=JsonlWriter(f"{output}/removed")),
            JsonlWriter(f"{output}/kept"),
        ],
        TASKS,
        f"{output}/logs/4",
    )
    times.append((time.time(), processor_seconds()))
    with open(f"{output}/dropped.txt", "w") as dropped:
        for path in sorted(glob.glob(f"{output}/removed/*")):
            with gzip.open(path, "rt") as lines:
                for line in lines:
                    dropped.write(json.loads(line)["id"] + "\n")
    names = ("find", "write")
    print(
        json.dumps(
            {
                name: {"seconds": round(b[0] - a[0], 1), "processor_seconds": round(b[1] - a[1], 1)}
                for name, a, b in zip(names, times, times[1:])
            }
        )
    )


if __name__ == "__main__":
    main()
