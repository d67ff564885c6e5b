#!/usr/bin/env python3
"""Whole jobs on this CPU, from the assembly through bin/paloverde: tokens a second, and the share of the time that the
engine works. Writes jobs.jsonl beside itself.

  bench/cpu/jobs.py [--megabytes N] [--rows N] [--runs N]

The corpus is written for the run by the project's own generator. `ours` is the job's tokens a second while it computes
(the JVM's start and planning left out, loading the model and compiling included); `peer` is the same tokens over the time
the engine was in its steps. `ratio` is therefore the engine's share of the time; one minus it is the share outside. Of the
runs the one with the median ratio is kept.
"""
import argparse, datetime, glob, json, os, platform, re, shutil, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = os.path.dirname(os.path.dirname(HERE))


def processor():
    names = re.findall(r"model name\s*: (.*)", open("/proc/cpuinfo").read())
    return f"{names[0]}, {len(names)} cores" if names else platform.processor()


def run(command, output):
    shutil.rmtree(output, ignore_errors=True)
    subprocess.run([os.path.join(HOME, "bin", "paloverde"), *command, "--output", output], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return json.load(open(glob.glob(os.path.join(output, "_paloverde", "run-*.json"))[0]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=2, help="size of the corpus to score")
    parser.add_argument("--rows", type=int, default=1000, help="prompts to continue by 64 tokens")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    jar = sorted(glob.glob(os.path.join(HOME, "jobs", "target", "paloverde-[0-9]*.jar")))
    if not jar:
        sys.exit("there is no assembly in jobs/target; build it with: mvn -B -q -DskipTests package")
    spark = open(os.path.join(HOME, "jobs", "target", "spark.classpath")).read().strip()
    commit = subprocess.run(["git", "-C", HOME, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    with tempfile.TemporaryDirectory() as work, open(os.path.join(HERE, "jobs.jsonl"), "w") as results:
        corpus = os.path.join(work, "corpus.jsonl")
        subprocess.run(["java", "-cp", f"{jar[-1]}:{spark}", "dev.paloverde.data.SampleCorpus", "training", "--output",
                        corpus, "--megabytes", str(options.megabytes), "--seed", "7"], check=True, stdout=subprocess.DEVNULL)
        jobs = {
            "job-score": ["score", "--input", corpus],
            "job-generate": ["generate", "--input", corpus, "--limit", str(options.rows), "--prompt-template", "{text}",
                             "--max-tokens", "64", "--ignore-end", "true", "--on-too-long", "truncate"],
        }
        for bench, command in jobs.items():
            for model in "sample-target", "sample-draft":
                manifests = [run([*command, "--model", "embedded:" + model], os.path.join(work, "out"))
                             for _ in range(options.runs)]
                manifests.sort(key=lambda manifest: manifest["engine_share"])
                manifest = manifests[len(manifests) // 2]
                tokens = manifest["results"]["tokens_in"] + manifest["results"]["tokens_out"]
                seconds = manifest["seconds"]["computing"]
                engine = manifest["metrics"]["engine time"] / 1e9
                row = {
                    "bench": bench,
                    "case": {"model": model, "rows": manifest["results"]["rows"], "tokens_in": manifest["results"]["tokens_in"],
                             "tokens_out": manifest["results"]["tokens_out"], "tasks": os.cpu_count()},
                    "ours": round(tokens / seconds, 1), "peer": round(tokens / engine, 1),
                    "peer_name": "the same tokens over the time in the engine's steps", "unit": "tokens/s",
                    "ratio": round(engine / seconds, 4),
                    "ratio_range": [round(manifests[0]["engine_share"], 4), round(manifests[-1]["engine_share"], 4)],
                    "device": processor(), "driver": platform.release().split("-")[0], "commit": commit,
                    "date": datetime.date.today().isoformat(),
                }
                results.write(json.dumps(row) + "\n")
                results.flush()
                print(f"{bench} {model}: {row['ours']:,.0f} tokens/s, {1 - row['ratio']:.1%} outside the engine")


if __name__ == "__main__":
    main()
