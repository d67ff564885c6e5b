#!/usr/bin/env python3
"""Speculation on GPUs: does it change a text, how fast is it, and does the model of speed say so?

    ssd.py --java 'java -cp ...' --pair DIR --out OUT PART...

PART    proposer    what the device proposes, against the host and in other company, with the sample and the draft model
        texts       texts of all strategies against plain decoding, byte for byte, with the sample models and the pair
        speed       autoregressive, speculative and ssd taking turns; tail drain; Theorem 7 from what was measured
        evaluate    the same from the turns.jsonl, pair.json and device.txt that a run left in OUT
--pair is what ssd_pair.py made. --speed holds settings of SpeculationProbe's speed, as in multiprocessors=0,16.
Writes OUT/<bench>.jsonl, one object a line, in the form of the project's results, and OUT/turns.jsonl.
"""
import argparse
import collections
import datetime
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent.parent.parent
MODELS = HERE / "data/models"
PROBE = "dev.paloverde.gpu.decode.SpeculationProbe"
STUDENT_95 = {2: 12.71, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365}


class Results:
    def __init__(self, out, common):
        self.out, self.common = pathlib.Path(out), common
        query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        left = self.out / "device.txt"
        try:
            said = left.read_text() if left.exists() else subprocess.run(
                query, capture_output=True, text=True, check=True).stdout
            lines = said.strip().splitlines()
        except (OSError, subprocess.CalledProcessError):
            lines = ["no GPU, "]
        self.device, self.driver = (part.strip() for part in lines[0].split(","))
        if len(lines) > 1:
            self.device = f"{len(lines)} x {self.device}"

    def add(self, bench, case, ours, peer, peer_name, unit, ratio, **more):
        row = dict(bench=bench, case={**self.common, **case}, ours=ours, peer=peer, peer_name=peer_name, unit=unit,
                   ratio=ratio, **more, device=self.device, driver=self.driver, commit=os.environ.get("COMMIT", ""),
                   date=datetime.date.today().isoformat())
        print(json.dumps(rounded(row)), flush=True)
        with open(self.out / f"{bench}.jsonl", "a") as f:
            f.write(json.dumps(rounded(row)) + "\n")


def rounded(value):
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return [rounded(v) for v in value] if isinstance(value, list) else value


def probe(java, out, *arguments, timeout=300):
    begin = time.time()
    with open(out / "log", "a") as log:
        process = subprocess.Popen([*java, PROBE, *map(str, arguments)], stdout=subprocess.PIPE, stderr=log, text=True)
        lines = []
        try:
            for line in process.stdout:
                log.write(line)
                if line.startswith("{"):
                    lines.append(json.loads(line))
            process.wait(timeout)
        finally:
            process.kill()
    print(f"-- {arguments[0]}: rc {process.returncode}, {time.time() - begin:.1f} s", flush=True)
    return process.returncode, lines


def ratio(ours, peers):
    """The median of ours over peers, turn by turn, with Student's 95% interval over the logarithms."""
    logs = [math.log(a / b) for a, b in zip(ours, peers)]
    middle = statistics.mean(logs)
    half = STUDENT_95[len(logs)] * statistics.stdev(logs) / math.sqrt(len(logs)) if len(logs) > 1 else float("nan")
    return math.exp(statistics.median(logs)), [math.exp(middle - half), math.exp(middle + half)]


def ahead(p, hit, miss, t_ahead, t_fallback, batch):
    """SpeedModel.ahead: Theorem 7 of arXiv 2603.03251, for a batch that waits for its misses. Its unit is one verification:
    here, one beside the draft model, which may take longer than one alone."""
    all_hit = p ** batch
    return (p * hit + (1 - p) * miss) / (all_hit * max(1, t_ahead) + (1 - all_hit) * (1 + t_fallback))


def live(turn):
    """Sequences in a step, on average: a batch is not full while prompts are read and while its last texts end."""
    alone = turn["generated"] - turn.get("rounds", 0) * turn.get("E", 0)  # tokens of rounds in which nothing was proposed
    return (turn.get("rounds", 0) + alone) / turn["steps"]


def place(turn):
    return turn["draft_device"] or ("own multiprocessors" if turn["multiprocessors"] else "streams")


def evaluate(turns, results):
    groups = collections.defaultdict(list)
    for turn in turns:
        if turn["kind"] == "turn":
            key = (turn["strategy"], turn["pace"], turn["tokens"], turn["draft_device"], turn["multiprocessors"], turn["fan_out"])
            groups[turn["temperature"], turn["batch"], key].append(turn)
    for temperature, batch in sorted({k[:2] for k in groups}):
        ways = {k[2]: v for k, v in groups.items() if k[:2] == (temperature, batch)}
        texts = {t["text"] for v in ways.values() for t in v}
        speeds = {k: [t["tokens_per_second"] for t in v] for k, v in ways.items()}
        plain = next(k for k in ways if k[0] == "AUTOREGRESSIVE")
        sd = next(k for k in ways if k[0] == "SPECULATIVE")
        complete = min(len(v) for v in ways.values())  # the last turns may be missing
        ways = {k: v[:complete] for k, v in ways.items()}
        if complete < 2:
            continue
        middle = lambda k, name: statistics.median(t.get(name, 0) for t in ways[k])
        step = statistics.median(t["seconds"] * 1e6 / t["steps"] for t in ways[plain])
        full = lambda k: statistics.median(map(live, ways[k])) / statistics.median(map(live, ways[plain]))
        case = dict(batch=batch, temperature=temperature, rule="coupled")
        compare = lambda bench, of, a, b, name, **more: results.add(
            bench, {**case, **of}, statistics.median(speeds[a]), statistics.median(speeds[b]), name, "tokens/s",
            ratio(speeds[a], speeds[b])[0], interval=ratio(speeds[a], speeds[b])[1], same_texts=len(texts) == 1, **more)
        e, t_sd = middle(sd, "E"), middle(sd, "draft_us") / step
        compare("sd-vs-ar", dict(K=sd[2], drafter=ways[sd][0].get("drafter", "MODEL").lower()), sd, plain, "autoregressive", E=e, accepted_share=middle(sd, "accepted_share"),
                T_SD=t_sd, step_us=step, draft_us=middle(sd, "draft_us"), verify_us=middle(sd, "verify_us"),
                between_us=middle(sd, "between_us"))
        for key in ways:
            if key[0] != "SSD":
                continue
            one = ways[key][0]
            of = dict(K=key[2], fan_out=one["fan_out"], draft_on=place(one), multiprocessors=key[4])
            if key[1] == "MEASURED":
                compare("tail-drain-vs-ar", of, key, plain, "autoregressive", plain_steps=middle(key, "plain_steps"),
                        steps=middle(key, "steps"))
                continue
            names = ("hit_rate", "E", "E_hit", "E_miss", "accepted_share", "overlap", "guesses_per_round", "verify_us",
                     "draft_us", "hit_wait_us", "ahead_us", "ahead_after_begin_us", "between_us")
            measured = {name: middle(key, name) for name in names}
            measured.update(T_p=measured["ahead_us"] / step, T_b=measured["draft_us"] / step, step_us=step)
            compare("ssd-vs-ar", of, key, plain, "autoregressive", **measured)
            compare("ssd-vs-sd", of, key, sd, f"speculative, K={sd[2]}")
            results.add("ssd-hit-rate", {**case, **of}, measured["hit_rate"], None, None, "share of outcomes", None,
                        accepted_share=measured["accepted_share"], guesses_per_round=measured["guesses_per_round"])
            got = ratio(speeds[key], speeds[plain])[0]
            law = lambda unit: full(key) * step / unit * ahead(measured["hit_rate"], measured["E_hit"], measured["E_miss"],
                                                   measured["ahead_us"] / unit, measured["draft_us"] / unit, batch)
            said = law(measured["verify_us"])
            results.add("ssd-model-error", {**case, **of}, said, got, "measured", "times autoregressive", said / got,
                        error=said / got - 1, error_without_contention=law(step) / got - 1, live=full(key))
        got = ratio(speeds[sd], speeds[plain])[0]
        said = full(sd) * e * step / (middle(sd, "verify_us") + middle(sd, "draft_us"))
        results.add("ssd-model-error", {**case, "K": sd[2], "strategy": "speculative"}, said, got, "measured",
                    "times autoregressive", said / got, error=said / got - 1, live=full(sd))
    tails = collections.defaultdict(list)
    for turn in turns:
        if turn["kind"] == "tail":
            tails[turn["strategy"], turn["pace"]].append(turn)
    plain = next((v for k, v in tails.items() if k[0] == "AUTOREGRESSIVE"), None)
    for key, ways in tails.items():
        if key[0] == "SSD":
            ours, peers = ([t["seconds"] for t in v] for v in (ways, plain))
            quick, interval = ratio(peers, ours)
            results.add("tail-drain-vs-ar", dict(workload="96 requests, Pareto lengths 24 to 700, at most 64 at once",
                                                 temperature=0.7, pace=key[1].lower(), K=ways[0]["tokens"],
                                                 draft_on=place(ways[0]), multiprocessors=ways[0]["multiprocessors"]),
                        statistics.median(ours), statistics.median(peers), "autoregressive", "s", quick,
                        interval=interval, same_texts=len({t["text"] for t in ways + plain}) == 1,
                        plain_steps=statistics.median(t["plain_steps"] for t in ways),
                        steps=statistics.median(t["steps"] for t in ways))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--java", default="java")
    parser.add_argument("--pair", help="OUT by default")
    parser.add_argument("--out", required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--speed", nargs="*", default=[])
    parser.add_argument("parts", nargs="+")
    arguments = parser.parse_args()
    java, out = arguments.java.split(), pathlib.Path(arguments.out)
    pair = pathlib.Path(arguments.pair or out)
    report = json.loads((pair / "pair.json").read_text())
    results = Results(out, dict(target=f"{report['target_parameters'] / 1e6:.0f} M",
                                draft=f"{report['draft_parameters'] / 1e6:.0f} M"))
    if arguments.parts == ["evaluate"]:
        with open(out / "turns.jsonl") as f:
            evaluate([json.loads(line) for line in f if line.startswith("{") and line.endswith("}\n")], results)
        return
    samples = [MODELS / "sample-target", MODELS / "sample-draft"]
    few = json.loads((pair / "prompts.json").read_text())[:32]
    (out / "few.json").write_text(json.dumps([[t % 1500 for t in p] for p in few]))
    (out / "pair-few.json").write_text(json.dumps(few))
    failed = []
    for part in arguments.parts:
        runs = []
        if part == "proposer":
            runs = [("proposer", samples[1], arguments.device), ("proposer", pair / "draft", arguments.device)]
        elif part == "texts":
            runs = [("texts", *samples, arguments.device, out / "few.json", 32, 16)]
        elif part == "pair-texts":
            runs = [("texts", pair / "target", pair / "draft", arguments.device, out / "pair-few.json", 32, 16)]
        elif part == "speed":
            runs = [("speed", pair / "target", pair / "draft", arguments.device, pair / "prompts.json", *arguments.speed)]
        for run in runs:
            code, lines = probe(java, out, *run)
            if code != 0:
                failed.append(part)
            if part != "speed":
                for line in lines:
                    if "bench" in line or line.get("different"):
                        print(json.dumps(line), flush=True)
                continue
            with open(out / "turns.jsonl", "a") as f:
                f.writelines(json.dumps(line) + "\n" for line in lines)
            evaluate(lines, results)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
