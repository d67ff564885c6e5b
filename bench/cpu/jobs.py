#!/usr/bin/env python3
"""Whole jobs on this CPU, from the assembly through bin/paloverde: tokens a second, and the share of the time that the
engine works. Writes jobs.jsonl beside itself.

  bench/cpu/jobs.py [--megabytes N] [--rows N] [--runs N] [--before CHECKOUT] [--jobs NAME...]

The corpus is written for the run by the project's own generator. `ours` is the job's tokens a second while it computes
(the JVM's start and planning left out, loading the model and compiling included); `peer` is the same tokens over the time
the engine was in its steps. `ratio` is therefore the engine's share of the time; one minus it is the share outside. Of the
runs the one with the median ratio is kept.

`cpu_seconds` are those of the whole process, from the JVM's start, by what threads are for. Each job also runs at a quarter
of its size: what the rest took is `cpu_seconds_more`, free of what a job takes once as far as that is alike each time
(Spark's own varies by a few seconds). On a machine with other work to do these say more than the clock.

--before names a checkout of another commit with its assembly built. Its runs take turns with those of this one, in the
same minutes on the same machine, and their figures stand beside: `ratio_before`, and the whole run's seconds (planning,
loading and computing) before over after as `speedup`.
"""
import argparse, datetime, glob, json, os, platform, re, shutil, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = os.path.dirname(os.path.dirname(HERE))


def processor():
    names = re.findall(r"model name\s*: (.*)", open("/proc/cpuinfo").read())
    return f"{names[0]}, {len(names)} cores" if names else platform.processor()


# what a thread of the JVM is for, by what its name begins with, as the system cuts it; the launcher's is the whole process
THREADS = {"paloverde-engin": "engine", "paloverde-cpu-w": "warming up", "paloverde-cpu-": "engine", "Executor task": "tasks",
           "C1 Compiler": "compiler", "C2 Compiler": "compiler", "G1 ": "memory", "GC Thread": "memory"}


def thread_seconds(process, seen):
    """Notes the CPU seconds of each thread of a process; one that ends is known as it was when last seen."""
    for stat in glob.glob(f"/proc/{process}/task/*/stat"):
        try:
            text = open(stat).read()
        except OSError:
            continue
        name, fields = text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")") + 2:].split()
        kind = next((kind for prefix, kind in THREADS.items() if name.startswith(prefix)), "else")
        seen[text.split(" ", 1)[0]] = kind, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(home, command, output):
    shutil.rmtree(output, ignore_errors=True)
    job = subprocess.Popen([os.path.join(home, "bin", "paloverde"), *command, "--output", output],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seen = {}
    while job.poll() is None:
        thread_seconds(job.pid, seen)
        time.sleep(0.2)
    if job.returncode:
        sys.exit(f"{' '.join(command)}: exit status {job.returncode}")
    manifest = json.load(open(glob.glob(os.path.join(output, "_paloverde", "run-*.json"))[0]))
    manifest["cpu"] = {}
    for kind, seconds in seen.values():
        manifest["cpu"][kind] = round(manifest["cpu"].get(kind, 0) + seconds, 2)
    return manifest


def more(large, small):
    """What the larger of two jobs took more, by what threads are for."""
    return {kind: round(large["cpu"].get(kind, 0) - small["cpu"].get(kind, 0), 2) for kind in sorted(large["cpu"])}


def median(manifests):
    return sorted(manifests, key=lambda manifest: manifest["engine_share"])[len(manifests) // 2]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=4, help="size of the corpus to score, a multiple of 4")
    parser.add_argument("--rows", type=int, default=1000, help="prompts to continue by 64 tokens")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--results", default="jobs.jsonl", help="name of the file beside this one")
    parser.add_argument("--before", help="a checkout to compare with")
    parser.add_argument("--jobs", nargs="*", default=["job-score", "job-generate"])
    parser.add_argument("--models", nargs="*", default=["sample-target", "sample-draft"])
    options = parser.parse_args()
    jar = sorted(glob.glob(os.path.join(HOME, "jobs", "target", "paloverde-[0-9]*.jar")))
    if not jar:
        sys.exit("there is no assembly in jobs/target; build it with: mvn -B -q -DskipTests package")
    spark = open(os.path.join(HOME, "jobs", "target", "spark.classpath")).read().strip()
    commit = subprocess.run(["git", "-C", HOME, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    homes = [HOME] + ([options.before] if options.before else [])
    with tempfile.TemporaryDirectory() as work, open(os.path.join(HERE, options.results), "w") as results:
        jobs = {}
        for part in 4, 1:
            corpus = os.path.join(work, f"corpus-{part}.jsonl")
            subprocess.run(["java", "-cp", f"{jar[-1]}:{spark}", "dev.paloverde.data.SampleCorpus", "training", "--output",
                            corpus, "--megabytes", str(options.megabytes * part // 4), "--seed", "7"], check=True,
                           stdout=subprocess.DEVNULL)
            jobs["job-score", part] = ["score", "--input", corpus]
            jobs["job-generate", part] = [
                "generate", "--input", corpus, "--limit", str(options.rows * part // 4), "--prompt-template", "{text}",
                "--max-tokens", "64", "--ignore-end", "true", "--on-too-long", "truncate"]
        for bench in options.jobs:
            for model in options.models:
                runs, small = {home: [] for home in homes}, {}
                for _ in range(options.runs):
                    for home in reversed(homes):
                        runs[home].append(run(home, [*jobs[bench, 4], "--model", "embedded:" + model], os.path.join(work, "out")))
                for home in reversed(homes):
                    small[home] = run(home, [*jobs[bench, 1], "--model", "embedded:" + model], os.path.join(work, "out"))
                shares = sorted(manifest["engine_share"] for manifest in runs[HOME])
                manifest = median(runs[HOME])
                tokens = manifest["results"]["tokens_in"] + manifest["results"]["tokens_out"]
                seconds = manifest["seconds"]["computing"]
                engine = manifest["metrics"]["engine time"] / 1e9
                row = {
                    "bench": bench,
                    "case": {"model": model, "rows": manifest["results"]["rows"], "tokens_in": manifest["results"]["tokens_in"],
                             "tokens_out": manifest["results"]["tokens_out"], "units": manifest["plan"]["units"],
                             "tasks": os.cpu_count()},
                    "ours": round(tokens / seconds, 1), "peer": round(tokens / engine, 1),
                    "peer_name": "the same tokens over the time in the engine's steps", "unit": "tokens/s",
                    "ratio": round(engine / seconds, 4),
                    "ratio_range": [round(shares[0], 4), round(shares[-1], 4)],
                    "seconds": {phase: round(value, 2) for phase, value in manifest["seconds"].items()},
                    "cpu_seconds": manifest["cpu"],
                    "cpu_seconds_more": more(manifest, small[HOME]),
                }
                if options.before:
                    before = median(runs[options.before])
                    row["ratio_before"] = round(before["engine_share"], 4)
                    row["seconds_before"] = {phase: round(value, 2) for phase, value in before["seconds"].items()}
                    row["cpu_seconds_before"] = before["cpu"]
                    row["cpu_seconds_more_before"] = more(before, small[options.before])
                    row["speedup"] = round(before["seconds"]["total"] / manifest["seconds"]["total"], 3)
                row |= {"device": processor(), "driver": platform.release().split("-")[0], "commit": commit,
                        "date": datetime.date.today().isoformat()}
                results.write(json.dumps(row) + "\n")
                results.flush()
                was = f", before {1 - row['ratio_before']:.1%}; {row['speedup']}x as fast" if options.before else ""
                print(f"{bench} {model}: {row['ours']:,.0f} tokens/s, {1 - row['ratio']:.1%} outside the engine{was}", flush=True)


if __name__ == "__main__":
    main()
