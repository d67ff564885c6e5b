#!/usr/bin/env python3
"""Measures MinHash deduplication as documents grow, each size in a JVM of its own with a heap of 4 GB, and datatrove's on
the same documents on the same machine. Appends JSON lines to deduplication.jsonl beside it.

    mvn -o -q -B -pl jobs -am package -DskipTests
    bench/cpu/deduplication.py --work /tmp/deduplication --sizes 10000 100000 1000000 \\
        [--datatrove datatrove/src --python venv/bin/python --datatrove-sizes 10000 100000]

Documents are those of PlantedDocuments (tests of the module pipelines): 204 words each, a fifth of them planted beside
another at a similarity of 0.5, 0.7, 0.8 or 0.9. What is timed begins where files are read and ends where it is known which
documents are to go; the start of the JVM or of Python is not in it, the compiling of Java is. datatrove works on
files of JSON lines, its stages 1 to 3.
"""

import argparse
import datetime
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAIN = "dev.paloverde.pipelines.corpus.DeduplicationScale"


def java(*arguments):
    classes = [ROOT / "pipelines/target/test-classes"]
    classes += [ROOT / module / "target/classes" for module in ("pipelines", "udfs", "gpu")]
    spark = (ROOT / "jobs/target/spark.classpath").read_text().strip()
    options = (ROOT / "jobs/target/jvm.options").read_text().split()
    path = ":".join([str(each) for each in classes] + [spark])
    command = ["java", "-Xmx4g", *options, "-cp", path, MAIN, *map(str, arguments)]
    environment = dict(os.environ, SPARK_LOCAL_IP="127.0.0.1")
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    return done.stdout.decode().strip()


def load():
    return float(pathlib.Path("/proc/loadavg").read_text().split()[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", required=True)
    parser.add_argument("--datatrove")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--datatrove-sizes", type=int, nargs="*", default=[])
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    commit = subprocess.check_output(["git", "-C", ROOT, "rev-parse", "--short=12", "HEAD"], text=True).strip()
    lines = []
    ours = {}
    for size in options.sizes:
        parquet = options.work / f"parquet-{size}"
        if not parquet.exists():
            java("make", size, parquet)
        before = load()
        ours[size] = json.loads(java("measure", size, parquet))
        lines.append(line(size, ours[size], before, load(), commit))
    for size in options.datatrove_sizes:
        source = options.work / f"jsonl-{size}"
        if not source.exists():
            java("make", size, source, "jsonl")
        output = options.work / f"datatrove-{size}"
        before = load()
        peer = json.loads(
            subprocess.run(
                [options.python, pathlib.Path(__file__).with_name("datatrove_minhash.py"), source, output],
                check=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=dict(os.environ, PYTHONPATH=options.datatrove),
            ).stdout
        )
        found = json.loads(java("judge", size, output / "dropped.txt"))
        lines.append(beside(size, ours.get(size), peer, found, before, load(), commit))
    with open(pathlib.Path(__file__).with_name("deduplication.jsonl"), "a") as results:
        for each in lines:
            print(json.dumps(each))
            results.write(json.dumps(each, separators=(",", ":")) + "\n")


def case(size):
    return {"documents": size, "words": 204, "bands": 14, "rows": 8, "near_duplicates": 0.2}


def line(size, result, before, after, commit):
    return {
        "bench": "deduplication-scale",
        "case": case(size),
        "ours": round(size / result["processor_seconds"]),
        "unit": "documents per second of processor time",
        **result,
        "load": [before, after],
        **where(commit),
    }


def beside(size, result, peer, found, before, after, commit):
    rate = size / peer["find"]["processor_seconds"]
    own = size / result["processor_seconds"] if result else None
    return {
        "bench": "deduplication-peer",
        "case": case(size),
        "ours": round(own) if own else None,
        "peer": round(rate),
        "peer_name": "datatrove 0.10.0, stages 1 to 3, spaCy's English tokenizer, 2 processes",
        "unit": "documents per second of processor time",
        "ratio": round(own / rate, 2) if own else None,
        "peer_stages": peer,
        "peer_found": found,
        "load": [before, after],
        **where(commit),
    }


def where(commit):
    return {
        "device": "cpu, 2 cores shared with other work, nice 10",
        "commit": commit,
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
    }


if __name__ == "__main__":
    main()
