"""Trains the two tiny models of the embedded default: a target and a draft with one tokenizer.

Reads a training corpus written by dev.paloverde.data.SampleCorpus (JSONL, or JSONL compressed by xz) and the committed
held-out split, prompts and choices; writes Hugging Face model directories, loss curves and a summary of what was
measured. Needs PyTorch, transformers 5, tokenizers and safetensors, and no network.

    python train.py --training train.jsonl.xz --corpus ../corpus --output ../models
"""

import argparse
import datetime
import json
import lzma
import math
import random
import shutil
import sys
import time
from pathlib import Path

import safetensors
import tokenizers
import torch
import torch.nn.functional as F
import transformers
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

BEGIN, END, PAD, USER, ASSISTANT = SPECIAL = ["<|begin|>", "<|end|>", "<|pad|>", "<|user|>", "<|assistant|>"]
VOCABULARY = 2048
CONTEXT = 1024

# Words with their leading space, single digits, runs of punctuation, white space: the split of Llama 3 and Qwen 2.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

CHAT_TEMPLATE = (
    "{{- bos_token }}"
    "{%- for message in messages %}"
    "{%- if message['role'] == 'user' %}{{- '<|user|>' + message['content'] | trim }}"
    "{%- elif message['role'] == 'assistant' %}{{- '<|assistant|>' + message['content'] | trim + eos_token }}"
    "{%- else %}{{- raise_exception('Only the roles user and assistant are known, not ' + message['role']) }}"
    "{%- endif %}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|assistant|>' }}{%- endif %}"
)

TARGET = dict(hidden_size=192, num_hidden_layers=6, num_attention_heads=6, num_key_value_heads=2, intermediate_size=512)
DRAFT = dict(hidden_size=96, num_hidden_layers=2, num_attention_heads=3, num_key_value_heads=1, intermediate_size=256)

SIZE_LIMIT = 8_000_000


def read_lines(path):
    opener = lzma.open if path.suffix == ".xz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def read_split(folder):
    return [document for path in sorted(folder.glob("*.jsonl")) for document in read_lines(path)]


def chat(text):
    """A dialogue of lines `User: ..` and `Assistant: ..` in the special tokens of the chat template."""
    turns = []
    for line in text.split("\n"):
        if line.startswith("User: "):
            turns.append(USER + line[len("User: ") :])
        elif line.startswith("Assistant: "):
            turns.append(ASSISTANT + line[len("Assistant: ") :] + END)
        else:
            raise ValueError(f"not a line of a dialogue: {line!r}")
    rendered = "".join(turns)
    return rendered[: -len(END)] if rendered.endswith(END) else rendered


def train_tokenizer(texts):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=SPECIAL,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer=trainer, length=len(texts))
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single=f"{BEGIN} $A",
                pair=f"{BEGIN} $A {BEGIN}:1 $B:1",
                special_tokens=[(BEGIN, tokenizer.token_to_id(BEGIN))],
            ),
        ]
    )
    return tokenizer


def check_tokenizer(tokenizer):
    """Holds the tokenizer to its promises: ids in order, BOS in front, every UTF-8 text comes back."""
    assert tokenizer.get_vocab_size() == VOCABULARY, tokenizer.get_vocab_size()
    assert [tokenizer.token_to_id(token) for token in SPECIAL] == list(range(len(SPECIAL)))
    drawn = random.Random(5)
    texts = ["", " ", "\n\n\n", "\ta  b ", "Żółw i 🌵 — 12345.67", "\u0000\u0001", "it's I'LL", "العربية 中文 한국어"]
    for _ in range(200):
        points = [drawn.choice([drawn.randrange(0x80), drawn.randrange(0x800), drawn.randrange(0x110000)]) for _ in range(40)]
        texts.append("".join(chr(point) for point in points if not 0xD800 <= point < 0xE000))
    for text in texts:
        ids = tokenizer.encode(text).ids
        assert ids[0] == 0, ids
        assert tokenizer.decode(ids) == text, text


def write_tokenizer(tokenizer, folder):
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    configuration = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BEGIN,
        "eos_token": END,
        "pad_token": PAD,
        "additional_special_tokens": [USER, ASSISTANT],
        "add_bos_token": True,
        "add_eos_token": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": CONTEXT,
        "chat_template": CHAT_TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(configuration, indent=2) + "\n", encoding="utf-8")


def configuration(shape):
    return LlamaConfig(
        **shape,
        vocab_size=VOCABULARY,
        head_dim=32,
        max_position_embeddings=CONTEXT,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
        hidden_act="silu",
        attention_bias=False,
        mlp_bias=False,
    )


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())  # a tied embedding counts once


def forward_flops(model, length):
    """Floating-point operations of one token forward: 2 per weight (the embedding as output head), and causal attention
    over length/2 positions on average, 2 products of 2 operations each."""
    shape = model.config
    attention = 2 * length * shape.num_hidden_layers * shape.num_attention_heads * shape.head_dim
    return 2 * parameters(model) + attention


class Packed:
    """Documents as one stream `<|begin|> .. <|end|> <|begin|> ..` on the device. A row begins with a document and runs on
    into the following ones; an epoch begins a row with every document once."""

    def __init__(self, encoded, device, seed):
        starts, flat = [], []
        for ids in encoded:
            starts.append(len(flat))
            flat.append(0)
            flat.extend(ids)
            flat.append(1)
        self.tokens = len(flat)
        flat.extend(flat[: CONTEXT + 1])
        self.stream = torch.tensor(flat, dtype=torch.int16, device=device)
        self.starts = torch.tensor(starts, dtype=torch.int64)
        self.window = torch.arange(CONTEXT + 1, device=device)
        self.generator = torch.Generator().manual_seed(seed)
        self.order, self.next = None, 0

    def batch(self, rows):
        if self.order is None or self.next + rows > len(self.order):
            self.order, self.next = torch.randperm(len(self.starts), generator=self.generator), 0
        starts = self.starts[self.order[self.next : self.next + rows]].to(self.window.device)
        self.next += rows
        tokens = self.stream[starts[:, None] + self.window[None, :]].long()
        return tokens[:, :-1], tokens[:, 1:]


class HeldOut:
    """Whole documents, each behind `<|begin|>`; what is measured is their own tokens, without `<|end|>`."""

    def __init__(self, documents, tokenizer, device, rows=32):
        self.documents = []
        for document in documents:
            ids = tokenizer.encode(document["text"]).ids[:CONTEXT]
            size = len(tokenizer.decode(ids).encode("utf-8"))
            self.documents.append((document["source"], ids, size))
        self.documents.sort(key=lambda document: len(document[1]))
        self.batches = []
        for first in range(0, len(self.documents), rows):
            chunk = self.documents[first : first + rows]
            width = max(len(ids) for _, ids, _ in chunk)
            tokens = torch.full((len(chunk), width), 2, dtype=torch.long)
            for row, (_, ids, _) in enumerate(chunk):
                tokens[row, : len(ids)] = torch.tensor(ids)
            # Padding stands behind the text, so causal attention never sees it.
            self.batches.append((chunk, tokens.to(device)))

    @torch.no_grad()
    def losses(self, model):
        """Nats, tokens and bytes for each source."""
        totals = {}
        for chunk, tokens in self.batches:
            logits = logits_of(model, tokens[:, :-1]).float()
            nats = F.cross_entropy(logits.transpose(1, 2), tokens[:, 1:], reduction="none").double().cpu()
            for row, (source, ids, size) in enumerate(chunk):
                total = totals.setdefault(source, [0.0, 0, 0])
                total[0] += nats[row, : len(ids) - 1].sum().item()
                total[1] += len(ids) - 1
                total[2] += size
        return totals

    @torch.no_grad()
    def agreement(self, target, draft):
        """For each source: positions, positions of equal greedy choice, and the sum of sum(min(p, q))."""
        totals = {}
        for chunk, tokens in self.batches:
            p = logits_of(target, tokens[:, :-1]).float().softmax(-1)
            q = logits_of(draft, tokens[:, :-1]).float().softmax(-1)
            same = (p.argmax(-1) == q.argmax(-1)).double().cpu()
            overlap = torch.minimum(p, q).sum(-1).double().cpu()
            for row, (source, ids, _) in enumerate(chunk):
                total = totals.setdefault(source, [0, 0.0, 0.0])
                total[0] += len(ids) - 1
                total[1] += same[row, : len(ids) - 1].sum().item()
                total[2] += overlap[row, : len(ids) - 1].sum().item()
        return totals


def logits_of(model, tokens):
    return model(input_ids=tokens, use_cache=False).logits


def mean_loss(totals):
    trained = [total for source, total in totals.items() if source != "noise"]
    return sum(total[0] for total in trained) / sum(total[1] for total in trained)


def autocast(device):
    return torch.autocast(device.type, dtype=torch.bfloat16)


def train(name, model, packed, held_out, seconds, options, teacher=None):
    """Trains for a time; returns the curve and the counts. The schedule follows the share of the time that is gone."""
    device = next(model.parameters()).device
    decayed = [parameter for parameter in model.parameters() if parameter.dim() >= 2]
    plain = [parameter for parameter in model.parameters() if parameter.dim() < 2]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}],
        lr=options.learning_rate,
        betas=(0.9, 0.95),
        fused=device.type == "cuda",
    )
    model.train()
    running = torch.compile(model, dynamic=False) if options.compile else model
    curve, collected, count = [], torch.zeros((), device=device), 0
    began = time.monotonic()
    step, logged, evaluated = 0, 0.0, -1.0
    while True:
        gone = (time.monotonic() - began) / seconds
        if step >= 1 and gone >= 1:
            break
        warm = min(1.0, (step + 1) / options.warmup_steps)
        rate = options.learning_rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, gone))))
        for group in optimizer.param_groups:
            group["lr"] = rate
        inputs, labels = packed.batch(options.rows)
        with autocast(device):
            logits = logits_of(running, inputs)
        logits = logits.float().flatten(0, 1)
        loss = cross_entropy = F.cross_entropy(logits, labels.flatten())
        if teacher is not None:
            with torch.no_grad(), autocast(device):
                wanted = logits_of(teacher, inputs)
            wanted = wanted.float().flatten(0, 1).log_softmax(-1)
            divergence = F.kl_div(logits.log_softmax(-1), wanted, log_target=True, reduction="batchmean")
            loss = (1 - options.distillation) * cross_entropy + options.distillation * divergence
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        collected += cross_entropy.detach()
        count += 1
        step += 1
        if step % 20 == 0:
            collected.item()  # the clock must not run ahead of the device
        if gone - logged >= 1 / 250 or step == 1:
            line = {
                "step": step,
                "tokens": step * options.rows * CONTEXT,
                "seconds": round(time.monotonic() - began, 2),
                "learning_rate": round(rate, 7),
                "train_loss": round(collected.item() / count, 5),
            }
            collected.zero_()
            count, logged = 0, gone
            if gone - evaluated >= 1 / 40:
                model.eval()
                with autocast(device):
                    line["held_out_loss"] = round(mean_loss(held_out.losses(model)), 5)
                model.train()
                evaluated = gone
            curve.append(line)
            if len(curve) % 25 == 1:
                print(name, json.dumps(line), flush=True)
    if device.type == "cuda":
        torch.cuda.synchronize()
    model.eval()
    with autocast(device):
        held_out_loss = round(mean_loss(held_out.losses(model)), 5)
    tokens = step * options.rows * CONTEXT
    if count:
        curve.append({"step": step, "tokens": tokens, "seconds": round(time.monotonic() - began, 2), "learning_rate": round(rate, 7),
                      "train_loss": round(collected.item() / count, 5), "held_out_loss": held_out_loss})
    flops = 3 * forward_flops(model, CONTEXT) + (forward_flops(teacher, CONTEXT) if teacher is not None else 0)
    return curve, {
        "parameters": parameters(model),
        "steps": step,
        "tokens_seen": tokens,
        "epochs": round(tokens / packed.tokens, 2),
        "training_flops": flops * tokens,
        "training_seconds": round(time.monotonic() - began, 1),
    }


def save(model, tokenizer, folder, curve):
    shutil.rmtree(folder, ignore_errors=True)
    stored = LlamaForCausalLM(model.config)
    stored.load_state_dict(model.state_dict())
    stored = stored.to(torch.bfloat16)
    stored.generation_config = GenerationConfig(
        bos_token_id=0, eos_token_id=1, pad_token_id=2, do_sample=True, temperature=0.8, top_p=0.95
    )
    stored.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    write_tokenizer(tokenizer, folder)
    thinned = curve if len(curve) <= 300 else [curve[round(i * (len(curve) - 1) / 299)] for i in range(300)]
    (folder / "training.jsonl").write_text("".join(json.dumps(line) + "\n" for line in thinned), encoding="utf-8")


def load(folder, device):
    """The model as stored, bf16 weights in fp32 arithmetic: what others will measure."""
    return LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa").to(device).eval()


def loss_figures(totals):
    figures = {}
    for source, (nats, tokens, size) in sorted(totals.items()):
        figures[source] = {
            "nats_per_token": round(nats / tokens, 5),
            "bits_per_byte": round(nats / math.log(2) / size, 5),
            "tokens": tokens,
            "bytes": size,
        }
    return figures


@torch.no_grad()
def choice_accuracy(model, tokenizer, choices, device):
    """The share of questions whose right choice has the highest log-probability: as it is, and per byte."""
    plain = normalised = 0
    for item in choices:
        context = tokenizer.encode(item["context"]).ids
        scores, lengths = [], []
        for choice in item["choices"]:
            ids = context + tokenizer.encode(choice, add_special_tokens=False).ids
            tokens = torch.tensor([ids], device=device)
            chances = logits_of(model, tokens[:, :-1]).float().log_softmax(-1)
            picked = chances[0, len(context) - 1 :].gather(1, tokens[0, len(context) :, None])
            scores.append(picked.sum().item())
            lengths.append(len(choice.encode("utf-8")))
        plain += max(range(len(scores)), key=lambda i: scores[i]) == item["answer"]
        normalised += max(range(len(scores)), key=lambda i: scores[i] / lengths[i]) == item["answer"]
    return {"questions": len(choices), "accuracy": round(plain / len(choices), 4), "accuracy_per_byte": round(normalised / len(choices), 4)}


@torch.no_grad()
def continuation(model, tokenizer, ids, device, temperature, generator, length=110):
    tokens = list(ids)
    cache, step = None, torch.tensor([tokens], device=device)
    for _ in range(length):
        output = model(input_ids=step, past_key_values=cache, use_cache=True)
        cache, logits = output.past_key_values, output.logits[0, -1].float().cpu()
        if temperature == 0:
            chosen = int(logits.argmax())
        else:
            chosen = int(torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator))
        if chosen == 1:
            break
        tokens.append(chosen)
        step = torch.tensor([[chosen]], device=device)
    return tokenizer.decode(tokens[len(ids) :], skip_special_tokens=False)


def samples(model, tokenizer, prompts, device):
    generator = torch.Generator().manual_seed(11)
    by_kind = {}
    for prompt in prompts:
        by_kind.setdefault(prompt["id"].rsplit("-", 1)[0], []).append(prompt)
    drawn = []
    for kind in by_kind.values():
        for prompt in kind[:2]:
            ids = tokenizer.encode(prompt["prompt"]).ids
            drawn.append(
                {
                    "prompt": prompt["prompt"],
                    "greedy": continuation(model, tokenizer, ids, device, 0, generator),
                    "temperature_0.8": continuation(model, tokenizer, ids, device, 0.8, generator),
                }
            )
    for question in ["What does the coyote eat?", "Tell me about Owl Canyon.", "What is 12 plus 5?"]:
        text = USER + question + ASSISTANT
        ids = tokenizer.encode(text).ids
        drawn.append({"prompt": BEGIN + text, "greedy": continuation(model, tokenizer, ids, device, 0, generator)})
    return drawn


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--training", type=Path, required=True, help="training corpus, .jsonl or .jsonl.xz")
    arguments.add_argument("--corpus", type=Path, required=True, help="folder of the sample corpus (held-out, prompts, eval)")
    arguments.add_argument("--output", type=Path, required=True, help="folder for the model directories and the summary")
    arguments.add_argument("--target-seconds", type=float, default=150)
    arguments.add_argument("--draft-seconds", type=float, default=100)
    arguments.add_argument("--rows", type=int, default=64, help="rows of 1024 tokens in a step")
    arguments.add_argument("--learning-rate", type=float, default=3e-3)
    arguments.add_argument("--warmup-steps", type=int, default=100)
    arguments.add_argument("--distillation", type=float, default=0.8, help="weight of the divergence from the target")
    arguments.add_argument("--compile", action="store_true")
    arguments.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments.add_argument("--seed", type=int, default=17)
    options = arguments.parse_args()

    transformers.utils.logging.disable_progress_bar()
    began = time.monotonic()
    device = torch.device(options.device)
    torch.manual_seed(options.seed)
    torch.set_float32_matmul_precision("highest")
    documents = read_lines(options.training)
    held = read_split(options.corpus / "held-out")
    known = {document["text"] for document in held}
    assert not any(document["text"] in known for document in documents), "a held-out document is in the training corpus"
    texts = [
        chat(document["text"]) if document["source"] == "dialogue" and index % 2 else document["text"]
        for index, document in enumerate(documents)
    ]
    print(f"{len(documents)} documents read after {time.monotonic() - began:.1f} s", flush=True)

    tokenizer = train_tokenizer([document["text"] for document in documents])
    check_tokenizer(tokenizer)
    encoded = [encoding.ids for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
    packed = Packed(encoded, device, options.seed)
    text_bytes = sum(len(document["text"].encode("utf-8")) for document in documents)
    print(f"{packed.tokens} tokens after {time.monotonic() - began:.1f} s", flush=True)
    held_out = HeldOut(held, tokenizer, device)

    summary = {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        "device": torch.cuda.get_device_name(0) if device.type == "cuda" else "cpu",
        "versions": {
            "python": sys.version.split()[0],
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "tokenizers": tokenizers.__version__,
            "safetensors": safetensors.__version__,
        },
        "seed": options.seed,
        "options": {"rows": options.rows, "context": CONTEXT, "learning_rate": options.learning_rate,
                    "warmup_steps": options.warmup_steps, "distillation": options.distillation},
        "corpus": {"documents": len(documents), "text_bytes": text_bytes, "tokens": packed.tokens},
        "models": {},
    }

    folders = {"target": options.output / "sample-target", "draft": options.output / "sample-draft"}
    target = LlamaForCausalLM(configuration(TARGET)).to(device)
    curve, counts = train("target", target, packed, held_out, options.target_seconds, options)
    save(target, tokenizer, folders["target"], curve)
    summary["models"]["sample-target"] = counts
    target = load(folders["target"], device)

    draft = LlamaForCausalLM(configuration(DRAFT)).to(device)
    curve, counts = train("draft", draft, packed, held_out, options.draft_seconds, options, teacher=target)
    save(draft, tokenizer, folders["draft"], curve)
    summary["models"]["sample-draft"] = counts
    draft = load(folders["draft"], device)

    choices = read_lines(options.corpus / "eval" / "choices.jsonl")
    prompts = read_lines(options.corpus / "prompts" / "prompts.jsonl")
    for name, model in [("sample-target", target), ("sample-draft", draft)]:
        totals = held_out.losses(model)
        summary["models"][name]["held_out_nats_per_token"] = round(mean_loss(totals), 5)
        summary["models"][name]["held_out"] = loss_figures(totals)
        summary["models"][name]["choices"] = choice_accuracy(model, tokenizer, choices, device)
    agreement = held_out.agreement(target, draft)
    trained = [total for source, total in agreement.items() if source != "noise"]
    agreement["all but noise"] = [sum(column) for column in zip(*trained)]
    summary["agreement"] = {
        source: {"positions": n, "greedy_agreement": round(same / n, 4), "expected_acceptance": round(overlap / n, 4)}
        for source, (n, same, overlap) in sorted(agreement.items())
    }
    size = sum(path.stat().st_size for folder in folders.values() for path in folder.iterdir())
    summary["model_bytes"] = size
    summary["total_seconds"] = round(time.monotonic() - began, 1)
    summary["samples"] = samples(target, tokenizer, prompts, device)
    summary_file = options.output / "training-summary.json"
    summary_file.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps({key: value for key, value in summary.items() if key != "samples"}, indent=1))
    print(f"{size} bytes in both model directories, {time.monotonic() - began:.1f} s in all")
    if size > SIZE_LIMIT:
        sys.exit(f"the model directories have {size} bytes, more than {SIZE_LIMIT}")


if __name__ == "__main__":
    main()
