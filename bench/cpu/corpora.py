#!/usr/bin/env python3
"""Real corpora from end to end, through bin/paloverde: scored whole, and a part of each continued. Writes corpora.jsonl
beside itself.

  bench/cpu/corpora.py DIRECTORY [--model MODEL] [--home CHECKOUT]

DIRECTORY holds text/{wikitext2-valid.txt, gsm8k-train.jsonl, tiny-shakespeare.txt} and dirty/{stack-exchange.jsonl,
dedup-demo.jsonl}; none of them is part of the project. The sample models have never seen such text: what is shown is that
every row of it gets its result or its error, and how long that takes. --home names another checkout whose assembly runs.
"""
import argparse, datetime, glob, json, os, platform, re, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = os.path.dirname(os.path.dirname(HERE))

# Lines of WikiText and rows of GSM8K are rows; Shakespeare is one document of a million bytes, scored in windows.
CORPORA = {
    "wikitext-2": ("text/wikitext2-valid.txt", [], []),
    "gsm8k-train": ("text/gsm8k-train.jsonl", ["--text-template", "{question}\\n{answer}"],
                    ["--prompt-template", "{question}\\n"]),
    "tiny-shakespeare": ("text/tiny-shakespeare.txt", ["--text-row", "file"], ["--prompt-template", "{text}"]),
    "stack-exchange": ("dirty/stack-exchange.jsonl", [], ["--prompt-template", "{text}"]),
    "dedup-demo": ("dirty/dedup-demo.jsonl", [], ["--prompt-template", "{text}"]),
}
GENERATED = 200


def processor():
    names = re.findall(r"model name\s*: (.*)", open("/proc/cpuinfo").read())
    return f"{names[0]}, {len(names)} cores" if names else platform.processor()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory")
    parser.add_argument("--model", default="sample-draft")
    parser.add_argument("--home", default=HOME)
    options = parser.parse_args()
    commit = subprocess.run(["git", "-C", HOME, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    with tempfile.TemporaryDirectory() as work, open(os.path.join(HERE, "corpora.jsonl"), "w") as results:
        for command in "score", "generate":
            for corpus, (file, scoring, generating) in CORPORA.items():
                output = os.path.join(work, f"{command}-{corpus}")
                arguments = [command, "--input", os.path.join(options.directory, file), "--output", output,
                             "--model", "embedded:" + options.model]
                if command == "score":
                    arguments += scoring
                else:
                    arguments += (generating or ["--prompt-template", "{text}"]) + [
                        "--limit", str(GENERATED), "--max-tokens", "64", "--temperature", "0.8", "--seed", "1"]
                ran = subprocess.run([os.path.join(options.home, "bin", "paloverde"), *arguments], capture_output=True, text=True)
                if ran.returncode:
                    sys.exit(f"{command} {corpus}: exit status {ran.returncode}\n{ran.stdout}\n{ran.stderr}")
                manifest = json.load(open(glob.glob(os.path.join(output, "_paloverde", "run-*.json"))[0]))
                result, taken = manifest["results"], manifest["input"]
                row = {
                    "bench": "corpus-" + command, "case": {"corpus": corpus, "model": options.model},
                    "bytes": taken["bytes"], "rows": result["rows"], "rows_malformed": taken["rows_malformed"],
                    "rows_by_status": result["rows_by_status"],
                    "errors": {error["code"]: error["rows"] for error in result["errors"]},
                    "tokens_in": result["tokens_in"], "tokens_out": result["tokens_out"],
                    "seconds": {phase: round(seconds, 1) for phase, seconds in manifest["seconds"].items()},
                    "tokens_per_second": round(result["tokens_per_second"]),
                    "engine_share": round(manifest["engine_share"], 3),
                    "device": processor(), "driver": platform.release().split("-")[0], "commit": commit,
                    "date": datetime.date.today().isoformat(),
                }
                results.write(json.dumps(row) + "\n")
                results.flush()
                print(f"{command} {corpus}: {row['rows']:,} rows {row['rows_by_status']} {row['errors']}, "
                      f"{row['tokens_in']:,} + {row['tokens_out']:,} tokens, {row['seconds']['total']} s", flush=True)


if __name__ == "__main__":
    main()
