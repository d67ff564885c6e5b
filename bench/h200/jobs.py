#!/usr/bin/env python3
"""Whole Spark jobs on a GPU from the assembly, beside the engine alone on the same rows; and a job that is killed.

    jobs.py --java 'java @java.opts' --classpath SPARK --probe CLASSES --jar ASSEMBLY --out OUT PART...

PART    score      texts of some 500 tokens, scored by the 1B shape of engine.py
        generate   prompts of some 100 tokens, continued by 128
        kill       the sample model, sampling; killed with SIGKILL, run again, and compared with a job that was left alone
Writes OUT/spark-vs-engine.jsonl and OUT/job-kill.jsonl. `ours` is the job's tokens a second while it computes (the JVM's start
and planning left out, loading the model included), `peer` the engine's alone, in the same run, once its steps are recorded;
`peer_cold` counts what a job does too: loading the model, splitting texts into tokens, recording the steps.
`gpu_busy` is the mean of what nvidia-smi says of the GPU's use, every tenth of a second while the job computes.
"""
import argparse
import glob
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

import pyarrow.parquet

import engine

CORPUS = engine.HERE / "data/corpus/text"


def write_rows(path, rows, characters, seed):
    texts = [json.loads(line)["text"] for file in sorted(CORPUS.glob("*.jsonl")) for line in open(file)]
    rng = random.Random(seed)
    with open(path, "w") as out:
        for i in range(rows):
            text = ""
            while len(text) < characters:
                text += rng.choice(texts) + "\n"
            out.write(json.dumps({"id": f"row-{i}", "text": text[:characters]}) + "\n")
    return path


class Use(threading.Thread):
    """What nvidia-smi says of the GPU's use, with the time it was said."""

    def __init__(self):
        super().__init__(daemon=True)
        self.seen = []
        self.smi = subprocess.Popen(["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "-lms", "100"],
                                    stdout=subprocess.PIPE, text=True)

    def run(self):
        for line in self.smi.stdout:
            self.seen.append((time.time(), float(line.split(",")[0])))

    def mean(self, begin, end):
        self.smi.kill()
        inside = [use for at, use in self.seen if begin <= at <= end]
        return sum(inside) / len(inside) / 100 if inside else None


class Jobs:
    def __init__(self, arguments):
        self.java = arguments.java.split()
        self.classpath = arguments.classpath
        self.jar = arguments.jar
        self.out = pathlib.Path(arguments.out)
        self.probe = [*self.java, "-Xmx16g", "-cp", f"{arguments.probe}:{arguments.classpath}"]

    def command(self, *arguments):
        return [*self.java, "-Xmx24g", "-cp", f"{self.jar}:{self.classpath}", "org.apache.spark.deploy.SparkSubmit", "--master",
                "local[8]", "--class", "dev.paloverde.jobs.Main", self.jar, *map(str, arguments)]

    def run(self, *arguments):
        """The job's manifest, and how busy the GPU was while it computed."""
        output = arguments[arguments.index("--output") + 1]
        use = Use()
        use.start()
        with open(self.out / "jobs.log", "a") as log:
            done = subprocess.run(self.command(*arguments), stdout=log, stderr=log, timeout=280)
        end = time.time()
        if done.returncode:
            raise RuntimeError(f"{arguments}: exit status {done.returncode}; see jobs.log")
        manifest = json.load(open(max(glob.glob(f"{output}/_paloverde/run-*.json"), key=os.path.getmtime)))
        busy = use.mean(end - manifest["seconds"]["computing"] - 1, end - 1)
        return manifest, busy


def beside_engine(jobs, results, how, rows, characters, tokens, options):
    folder = engine.big("1b")
    file = write_rows(engine.WORK / f"{how}.jsonl", rows, characters, 1)
    cold, alone = engine.probe(jobs.probe, "texts", folder, "cuda", file, how, tokens)
    output = engine.WORK / f"{how}-out"
    shutil.rmtree(output, ignore_errors=True)
    manifest, busy = jobs.run(how, "--model", folder, "--device", "cuda", "--input", file, "--output", output, *options)
    found = manifest["results"]
    seconds = manifest["seconds"]["computing"]
    count = found["tokens_out"] if how == "generate" else found["tokens_in"]
    whole = alone["tokens_out"] if how == "generate" else alone["tokens_in"]
    ours, peer, peer_cold = count / seconds, whole / alone["seconds"], whole / cold["since_begin"]
    case = dict(job=how, shape="1b", rows=rows, tokens_in=found["tokens_in"], tokens_out=found["tokens_out"], tasks=8)
    results.add("spark-vs-engine", case, ours, peer, "the engine alone on the same rows", "tokens/s", ours / peer,
                peer_cold=peer_cold, ratio_cold=ours / peer_cold)
    print(json.dumps(dict(gpu_busy=busy, engine_share=manifest.get("engine_share"), seconds=manifest["seconds"],
                          results=found, alone=alone)), flush=True)


def table(output):
    read = pyarrow.parquet.read_table(str(output), columns=["row_key", "receipt", "text", "output", "status"])
    return sorted(map(str, read.to_pylist()))


def kill(jobs, results):
    file = write_rows(engine.WORK / "kill.jsonl", 20000, 200, 2)
    arguments = ["generate", "--model", engine.SAMPLE, "--device", "cuda", "--input", file, "--max-tokens", 200, "--temperature", 0.8,
                 "--ignore-end", "true", "--prompt-template", "{text}", "--units", 40]
    whole, broken = engine.WORK / "whole", engine.WORK / "broken"
    for output in (whole, broken):
        shutil.rmtree(output, ignore_errors=True)
    manifest, _ = jobs.run(*arguments, "--output", whole)
    kills = 0
    for _ in range(2):
        with open(jobs.out / "jobs.log", "a") as log:
            job = subprocess.Popen(jobs.command(*arguments, "--output", broken, "--resume"), stdout=log, stderr=log)
            begin = time.time()
            while job.poll() is None and len(glob.glob(f"{broken}/*.parquet")) < 6 * (kills + 1) and time.time() < begin + 120:
                time.sleep(0.05)
            if job.poll() is None:
                job.send_signal(signal.SIGKILL)
                kills += 1
            job.wait()
    resumed, _ = jobs.run(*arguments, "--output", broken, "--resume")
    one, other = table(whole), table(broken)
    same = sum(a == b for a, b in zip(one, other)) if len(one) == len(other) else 0
    results.add("job-kill", dict(rows=len(one), kills=kills, model="sample-target", temperature=0.8), same, len(one),
                "the job that was left alone", "rows equal", same / len(one))
    print(json.dumps(dict(results=resumed["results"], plan=resumed.get("plan"))), flush=True)
    if same != len(one) or kills == 0:
        raise RuntimeError(f"{same} of {len(one)} rows after {kills} kills")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--java", "--classpath", "--probe", "--jar", "--out"):
        parser.add_argument(name, required=True)
    parser.add_argument("--rows", type=int, default=12288)
    parser.add_argument("parts", nargs="+")
    arguments = parser.parse_args()
    engine.WORK.mkdir(exist_ok=True)
    jobs = Jobs(arguments)
    results = engine.Results(arguments.out)
    failed = []
    for part in arguments.parts:
        begin = time.time()
        try:
            if part == "score":
                beside_engine(jobs, results, "score", arguments.rows, 1500, 0, [])
            elif part == "generate":
                beside_engine(jobs, results, "generate", arguments.rows, 300, 128,
                              ["--max-tokens", 128, "--ignore-end", "true", "--prompt-template", "{text}", "--temperature", 0])
            elif part == "kill":
                kill(jobs, results)
            else:
                raise ValueError(part)
        except Exception as e:
            print(f"{part} FAILED: {e!r}", flush=True)
            failed.append(part)
        print(f"-- {part}: {time.time() - begin:.1f} s", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
