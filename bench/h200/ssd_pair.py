#!/usr/bin/env python3
"""Pairs of a target and a draft model for measuring speculation, as Hugging Face directories with one tokenizer.

    ssd_pair.py train --text DIR --out DIR [--target-seconds 60] [--draft-seconds 20]
    ssd_pair.py shape --out DIR --agreement-scale 0.02
    ssd_pair.py nest --out DIR --overlap 0.8

train   A byte-level BPE of 16,384 tokens, a Llama of 32 layers of 1,024 (373 M parameters) trained on the text for so long,
        and a draft model of 2 layers of 512 (14 M) that is then taught the target's distributions. Every twentieth
        document is kept out of both; its beginning is a prompt.
shape   Random weights: the target is the draft model with more layers behind its own, whose outputs are scaled. The
        smaller the scale, the oftener the two agree.
nest    The same with the shapes of Llama-3.1-8B and Llama-3.2-1B, heads untied: the first sixteen layers of the target
        compute in half of its numbers what the draft model computes, the other sixteen disturb it, by as much as makes the
        two laws overlap by about so much.
DIR gets target/, draft/, prompts.json (lists of token ids) and pair.json (what was trained, and how well).
"""
import argparse
import gzip
import json
import math
import pathlib
import random
import time

import torch
import torch.nn.functional as F
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

WINDOW = 512
PROMPT = 64
TARGET = dict(hidden_size=1024, intermediate_size=2816, num_hidden_layers=32, num_attention_heads=16,
              num_key_value_heads=4, head_dim=64)
DRAFT = dict(hidden_size=512, intermediate_size=1408, num_hidden_layers=2, num_attention_heads=8,
             num_key_value_heads=2, head_dim=64)


def documents(folder):
    for path in sorted(pathlib.Path(folder).rglob("*")):
        if not path.is_file():
            continue
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        text = raw.decode("utf-8", "replace")
        if ".jsonl" in path.name:
            for line in text.splitlines():
                row = json.loads(line)
                yield row["text"] if "text" in row else row["question"] + "\n" + row["answer"]
        else:
            lines = text.splitlines()
            for first in range(0, len(lines), 40):
                yield "\n".join(lines[first:first + 40])


def tokenizer_of(texts, vocabulary):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=["<|begin|>", "<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    return tokenizer


def model_of(shape, vocabulary, tied=True):
    config = transformers.LlamaConfig(
        **shape, vocab_size=vocabulary, max_position_embeddings=4096, tie_word_embeddings=tied, bos_token_id=0,
        eos_token_id=1, rope_parameters={"rope_type": "default", "rope_theta": 10000.0})
    return transformers.LlamaForCausalLM(config)


def parameters(model):
    return sum(p.numel() for p in model.parameters())


class Trainer:
    """Steps of AdamW for so many seconds, the rate falling as the time passes."""

    def __init__(self, model, seconds, rate):
        self.model, self.seconds, self.rate = model, seconds, rate
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.95), weight_decay=0.1,
                                           fused=torch.cuda.is_available())
        self.steps, self.begin, self.last = 0, None, float("nan")

    def going(self):
        if self.begin is None:
            self.begin = time.time()
        passed = (time.time() - self.begin) / self.seconds
        rate = self.rate * min(1, passed / 0.05 + 0.02) * (0.05 + 0.95 * (0.5 + 0.5 * math.cos(math.pi * min(1, passed))))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return passed < 1

    def step(self, loss):
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.steps += 1
        if self.steps % 20 == 0:
            self.last = loss.item()  # also keeps the host from running ahead of the clock
            print(f"  step {self.steps} loss {self.last:.3f} {time.time() - self.begin:.0f} s", flush=True)


def windows(stream, size, device):
    starts = torch.randint(0, len(stream) - WINDOW - 1, (size,))
    return torch.stack([stream[s:s + WINDOW + 1] for s in starts.tolist()]).to(device, non_blocking=True)


def train(arguments):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    texts = [t for t in documents(arguments.text) if len(t) > 20]
    random.Random(0).shuffle(texts)
    kept_out, texts = texts[::20], [t for i, t in enumerate(texts) if i % 20]
    begin = time.time()
    tokenizer = tokenizer_of(texts, arguments.vocabulary)
    vocabulary = (tokenizer.get_vocab_size() + 63) // 64 * 64

    def encoded(some):
        return [t for e in tokenizer.encode_batch(some) for t in e.ids + [1]]
    stream, held = torch.tensor(encoded(texts)), torch.tensor(encoded(kept_out))
    prompts = [e.ids[:PROMPT] for e in tokenizer.encode_batch(kept_out) if len(e.ids) >= PROMPT][:256]
    print(f"{len(texts)} documents, {len(stream)} tokens of {vocabulary}, {len(prompts)} prompts, "
          f"{time.time() - begin:.1f} s", flush=True)

    shapes = [dict(TARGET), dict(DRAFT)]
    if arguments.tiny:
        shapes = [dict(DRAFT), dict(DRAFT, num_hidden_layers=1)]
    with torch.device(device):
        target, draft = (model_of(shape, vocabulary) for shape in shapes)
    autocast = torch.autocast(device, dtype=torch.bfloat16)

    trainer = Trainer(target, arguments.target_seconds, 6e-4)
    while trainer.going():
        batch = windows(stream, arguments.batch, device)
        with autocast:
            logits = target(batch[:, :-1], use_cache=False).logits
        trainer.step(F.cross_entropy(logits.flatten(0, 1).float(), batch[:, 1:].flatten()))
    target_steps = trainer.steps
    target.eval()

    trainer = Trainer(draft, arguments.draft_seconds, 2e-3)
    while trainer.going():
        batch = windows(stream, arguments.batch, device)
        with autocast:
            with torch.no_grad():
                law = target(batch[:, :-1], use_cache=False).logits.float().softmax(-1)
            logits = draft(batch[:, :-1], use_cache=False).logits
        trainer.step(-(law * logits.float().log_softmax(-1)).sum(-1).mean())
    draft.eval()

    with torch.no_grad(), autocast:
        batch = windows(held, 16, device)
        theirs = [m(batch[:, :-1], use_cache=False).logits.float() for m in (target, draft)]
        losses = [F.cross_entropy(l.flatten(0, 1), batch[:, 1:].flatten()).item() for l in theirs]
        p, q = (l.softmax(-1) for l in theirs)
        report = dict(target_parameters=parameters(target), draft_parameters=parameters(draft), vocabulary=vocabulary,
                      train_tokens=len(stream), target_steps=target_steps, draft_steps=trainer.steps,
                      tokens_a_step=arguments.batch * WINDOW, target_loss=losses[0], draft_loss=losses[1],
                      held_out_same_argmax=(p.argmax(-1) == q.argmax(-1)).float().mean().item(),
                      held_out_overlap=torch.minimum(p, q).sum(-1).mean().item())
    print(json.dumps(report), flush=True)
    save(arguments.out, target, draft, tokenizer, prompts, report)


def save(out, target, draft, tokenizer, prompts, report):
    out = pathlib.Path(out)
    for name, model in (("target", target), ("draft", draft)):
        model.to(torch.bfloat16).save_pretrained(out / name)
        tokenizer.save(str(out / name / "tokenizer.json"))
    (out / "prompts.json").write_text(json.dumps(prompts))
    (out / "pair.json").write_text(json.dumps(report))


def shape(arguments):
    torch.manual_seed(0)
    generator = random.Random(0)
    vocabulary = arguments.vocabulary
    tokenizer = tokenizer_of(["".join(generator.choices("abcdefghijklmnopqrstuvwxyz ", k=200)) for _ in range(50)], 512)
    tokenizer.add_tokens([f"<{i}>" for i in range(vocabulary - tokenizer.get_vocab_size())])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    wide = dict(TARGET, num_hidden_layers=arguments.layers)
    with torch.device(device):
        target = model_of(wide, vocabulary)
        draft = model_of(dict(TARGET, num_hidden_layers=arguments.draft_layers), vocabulary)
    with torch.no_grad():
        for name, parameter in target.named_parameters():
            if parameter.dim() == 2:
                parameter.normal_(0, 1 / parameter.shape[1] ** 0.5)
        target.get_input_embeddings().weight.mul_(3)
        for layer in target.model.layers[arguments.draft_layers:]:
            layer.self_attn.o_proj.weight.mul_(arguments.agreement_scale)
            layer.mlp.down_proj.weight.mul_(arguments.agreement_scale)
        draft.load_state_dict({k: v for k, v in target.state_dict().items() if k in draft.state_dict()})
    prompts = [[generator.randrange(2, vocabulary) for _ in range(PROMPT)] for _ in range(256)]
    save(arguments.out, target, draft, tokenizer, prompts,
         dict(target_parameters=parameters(target), draft_parameters=parameters(draft), vocabulary=vocabulary,
              agreement_scale=arguments.agreement_scale))


DRAFT_1B = dict(hidden_size=2048, intermediate_size=8192, num_hidden_layers=16, num_attention_heads=32,
                num_key_value_heads=8, head_dim=64)
TARGET_8B = dict(hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32,
                 num_key_value_heads=8, head_dim=128)


def nested(shapes, vocabulary):
    """A pair of random weights, the second model inside the first: see --help."""
    wide, narrow = shapes
    target, draft = (model_of(shape, vocabulary, tied=False) for shape in shapes)
    width, inner = narrow["hidden_size"], narrow["intermediate_size"]
    with torch.no_grad():
        for model in (target, draft):
            for name, parameter in model.named_parameters():
                if parameter.dim() == 2:
                    parameter.normal_(0, parameter.shape[1] ** -0.5 * (3 if "lm_head" in name else 1))
            model.get_input_embeddings().weight.normal_(0, 1)

        # pairs that turn together are (i, i + 32) of 64 and (i, i + 64) of 128; the frequency of i there is that of 2i here
        half, head = narrow["head_dim"] // 2, wide["head_dim"]
        turned = torch.cat([torch.arange(half) * 2, torch.arange(half) * 2 + head // 2]).to(target.device)

        def heads(theirs, ours, places, factor):
            ours.zero_()
            count = theirs.shape[0] // narrow["head_dim"]
            ours.view(count, head, -1)[:, places, :width] = theirs.view(count, narrow["head_dim"], -1) * factor
        straight = torch.arange(narrow["head_dim"], device=target.device)
        target.get_input_embeddings().weight.zero_()[:, :width] = draft.get_input_embeddings().weight
        target.lm_head.weight.zero_()[:, :width] = draft.lm_head.weight
        for ours, theirs in zip(target.model.layers, draft.model.layers):
            # the numbers beside the nested ones are nought, so that the norm is greater by the root of two
            ours.input_layernorm.weight.fill_(2 ** -0.5)
            ours.post_attention_layernorm.weight.fill_(2 ** -0.5)
            heads(theirs.self_attn.q_proj.weight, ours.self_attn.q_proj.weight, turned, 2 ** 0.5)
            heads(theirs.self_attn.k_proj.weight, ours.self_attn.k_proj.weight, turned, 1)
            heads(theirs.self_attn.v_proj.weight, ours.self_attn.v_proj.weight, straight, 1)
            count = wide["num_attention_heads"]
            ours.self_attn.o_proj.weight.zero_().view(-1, count, head)[:width, :, :narrow["head_dim"]] = (
                theirs.self_attn.o_proj.weight.view(-1, count, narrow["head_dim"]))
            ours.mlp.gate_proj.weight[:inner, :width] = theirs.mlp.gate_proj.weight
            ours.mlp.up_proj.weight[:inner, :width] = theirs.mlp.up_proj.weight
            ours.mlp.down_proj.weight.zero_()[:width, :inner] = theirs.mlp.down_proj.weight
        target.model.norm.weight.fill_(2 ** -0.5)
    return target.eval(), draft.eval()


def disturb(target, first, factor):
    with torch.no_grad():
        for layer in target.model.layers[first:]:
            layer.self_attn.o_proj.weight.mul_(factor)
            layer.mlp.down_proj.weight.mul_(factor)


def nest(arguments):
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    generator = random.Random(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    shapes, vocabulary = (TARGET_8B, DRAFT_1B), 128256
    if arguments.tiny:
        shapes, vocabulary = (dict(TARGET_8B, hidden_size=512, intermediate_size=1024, num_hidden_layers=4),
                              dict(DRAFT_1B, hidden_size=256, intermediate_size=512, num_hidden_layers=2)), 2048
    with torch.device(device):
        target, draft = nested(shapes, vocabulary)
    prompts = [[generator.randrange(2, vocabulary) for _ in range(PROMPT)] for _ in range(256)]
    some = torch.tensor(prompts[:32], device=device)
    first, scale, found = shapes[1]["num_hidden_layers"], 1.0, []
    with torch.no_grad():
        q = draft(some, use_cache=False).logits.float().softmax(-1)
        for step in (0, 0.01, 0.02, 0.03, 0.045, 0.06, 0.08, 0.1, 0.13, 0.17, 0.22, 0.3):
            disturb(target, first, max(step, 1e-6) / scale)
            scale = max(step, 1e-6)
            p = target(some, use_cache=False).logits.float().softmax(-1)
            found.append((scale, torch.minimum(p, q).sum(-1).mean().item(),
                          (p.argmax(-1) == q.argmax(-1)).float().mean().item()))
            if found[-1][1] < arguments.overlap:
                break
    print("scale, overlap, same argmax:", found, flush=True)
    tokenizer = Tokenizer(models.BPE(vocab={f"<{i}>": i for i in range(vocabulary)}, merges=[]))
    save(arguments.out, target, draft, tokenizer, prompts,
         dict(target_parameters=parameters(target), draft_parameters=parameters(draft), vocabulary=vocabulary,
              disturbance=found[-1][0], overlap=found[-1][1], same_argmax=found[-1][2], undisturbed_overlap=found[0][1]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("train", "shape", "nest"))
    parser.add_argument("--text")
    parser.add_argument("--out", required=True)
    parser.add_argument("--vocabulary", type=int, default=16384)
    parser.add_argument("--target-seconds", type=float, default=60)
    parser.add_argument("--draft-seconds", type=float, default=20)
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--layers", type=int, default=32)
    parser.add_argument("--draft-layers", type=int, default=2)
    parser.add_argument("--agreement-scale", type=float, default=0.02)
    parser.add_argument("--overlap", type=float, default=0.8)
    parser.add_argument("--tiny", action="store_true", help="small shapes, to try this program")
    arguments = parser.parse_args()
    {"train": train, "shape": shape, "nest": nest}[arguments.what](arguments)


if __name__ == "__main__":
    main()
