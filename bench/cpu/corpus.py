#!/usr/bin/env python3
"""The command corpus from documents to packed sequences and the data card, through bin/paloverde. Writes corpus.jsonl beside
itself.

  bench/cpu/corpus.py [DIRECTORY] [--kills N] [--only NAME...] [--once]

The sample corpus is the project's own. DIRECTORY holds text/{wikitext2-valid.txt, gsm8k-train.jsonl, tiny-shakespeare.txt},
dirty/{stack-exchange.jsonl, dedup-demo.jsonl} and eval/gsm8k-test.jsonl; none of them is part of the project.

Each corpus runs twice: as it lies, and with its lines shuffled and dealt to seven files, on one core with three partitions.
`equal` says whether every shard of the second has the content of the first's, to the bit. `cpu_seconds` are those of the whole
first process; `padding` is the share of positions without a token. --kills: how often the sample's run is killed with
SIGKILL at moments of chance before it may end; `equal_after_kills` says whether its shards are those of the others. --once leaves the second run out, and `equal` with it.
"""
import argparse, datetime, glob, json, os, platform, random, re, resource, signal, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = os.path.dirname(os.path.dirname(HERE))
PACK = ["--tokenizer", "embedded:sample-target", "--context", "1024"]
LAUNCHER = os.path.join(HOME, "bin", "paloverde")


def processor():
    names = re.findall(r"model name\s*: (.*)", open("/proc/cpuinfo").read())
    return f"{names[0]}, {len(names)} cores" if names else platform.processor()


def packed(output):
    return [shard["content"] for shard in json.load(open(os.path.join(output, "shards.json")))]


def run(spark, arguments, output):
    ran = subprocess.run([LAUNCHER, *spark, "corpus", "--output", output, *arguments], capture_output=True, text=True)
    if ran.returncode:
        sys.exit(f"exit status {ran.returncode}\n{ran.stdout}\n{ran.stderr}")
    return json.load(open(os.path.join(output, "summary.json")))


def dealt(inputs, directory):
    """The lines of all files in another order, in seven files."""
    lines = [line for path in inputs for line in open(path, "rb").read().splitlines()]
    random.Random(1).shuffle(lines)
    os.makedirs(directory)
    for i in range(7):
        with open(os.path.join(directory, f"{i}{os.path.splitext(inputs[0])[1]}"), "wb") as file:
            file.writelines(line + b"\n" for line in lines[i::7])
    return [directory]


def kill_and_resume(arguments, output, kills, seconds):
    killed = 0
    for _ in range(kills):
        process = subprocess.Popen([LAUNCHER, "corpus", "--output", output, *arguments], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        try:
            process.wait(random.uniform(0.3, 0.9) * seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
    run([], arguments, output)
    return killed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", nargs="?")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--once", action="store_true")
    options = parser.parse_args()
    sample = os.path.join(HOME, "data", "corpus")
    corpora = {"sample": (sorted(glob.glob(os.path.join(sample, "text", "*.jsonl"))),
                          ["--rules", "gopher_repetition,c4", "--evaluation", os.path.join(sample, "held-out")], True)}
    if options.directory:
        at = lambda path: os.path.join(options.directory, path)
        corpora |= {
            "wikitext-2": ([at("text/wikitext2-valid.txt")], ["--rules", "gopher_quality,gopher_repetition"], True),
            "gsm8k-train": ([at("text/gsm8k-train.jsonl")], ["--text-column", "question", "--evaluation",
                            at("eval/gsm8k-test.jsonl"), "--evaluation-column", "question"], True),
            "tiny-shakespeare": ([at("text/tiny-shakespeare.txt")], ["--text-row", "file"], False),
            "dirty": ([at("dirty/stack-exchange.jsonl"), at("dirty/dedup-demo.jsonl")], ["--mask-personal-data"], True),
        }
    commit = subprocess.run(["git", "-C", HOME, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    with tempfile.TemporaryDirectory() as work, open(os.path.join(HERE, "corpus.jsonl"), "a" if options.only else "w") as results:
        for name, (inputs, more, lines) in corpora.items():
            if options.only and name not in options.only:
                continue
            arguments = [*PACK, *more]
            for path in inputs:
                arguments += ["--input", path]
            begun, before = time.time(), resource.getrusage(resource.RUSAGE_CHILDREN)
            output = os.path.join(work, name)
            summary = run([], arguments, output)
            after, seconds = resource.getrusage(resource.RUSAGE_CHILDREN), time.time() - begun
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            equal = None
            if not options.once:
                again = [*PACK, *more]
                for path in dealt(inputs, os.path.join(work, name + "-dealt")) if lines else inputs:
                    again += ["--input", path]
                run(["--master", "local[1]", "--conf", "spark.sql.shuffle.partitions=3"], again, output + "-again")
                equal = packed(output) == packed(output + "-again")
            row = {
                "bench": "corpus", "case": {"corpus": name, "context": 1024},
                "bytes": sum(os.path.getsize(path) for path in inputs),
                "rows": summary["rows"], "kept": summary["kept"],
                "rejected": {each["reason"] + ("/" + each["rule"] if each.get("rule") else ""): each["rows"]
                             for each in summary["rejected"]},
                "sequences": summary["packed"]["sequences"], "tokens": summary["packed"]["text_tokens"],
                "padding": round(summary["packed"]["padding_share"], 5), "equal": equal,
                "cpu_seconds": round(cpu, 1), "seconds": round(seconds, 1), "load": round(os.getloadavg()[0], 1),
            }
            if name == "sample" and options.kills:
                killed = kill_and_resume(arguments, output + "-killed", options.kills, seconds)
                row |= {"kills": killed, "equal_after_kills": packed(output) == packed(output + "-killed")}
            row |= {"device": processor(), "driver": platform.release().split("-")[0], "commit": commit,
                    "date": datetime.date.today().isoformat()}
            results.write(json.dumps(row) + "\n")
            results.flush()
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
