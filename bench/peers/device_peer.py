#!/usr/bin/python3
"""
The jobs of bench/Models.Bench/DeviceWork.cs in plain PyTorch: device_peer.py THREADS CONFIG WORK TYPE DEVICE RECORDS CANDIDATES PROMPT RESPONSE BUDGET ROUNDS

Prompts are shared within a record, as there; as many records are computed together as fit BUDGET places. Attention is PyTorch's own where it has one (2.0), in plain
operations before. Prints one line of JSON.
"""
import io
import json
import math
import resource
import sys
import time

import torch
from torch.nn import functional

NEGATIVES, BETA, RIDGE, RANK, ALPHA, RATE, DEVIATION = 3, 0.1, 1e-2, 8, 16, 1e-4, 0.02
PROJECTIONS = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"]


def shapes(config):
    d, size = config["hidden_size"], config["head_dim"]
    q, kv, inner = config["num_attention_heads"] * size, config["num_key_value_heads"] * size, config["intermediate_size"]
    result = {"model.embed_tokens.weight": (config["vocab_size"], d), "model.norm.weight": (d,)}
    if not config["tie_word_embeddings"]:
        result["lm_head.weight"] = (config["vocab_size"], d)
    for layer in range(config["num_hidden_layers"]):
        parts = {"input_layernorm": (d,), "post_attention_layernorm": (d,), "self_attn.q_proj": (q, d), "self_attn.k_proj": (kv, d), "self_attn.v_proj": (kv, d),
                 "self_attn.o_proj": (d, q), "mlp.gate_proj": (inner, d), "mlp.up_proj": (inner, d), "mlp.down_proj": (d, inner)}
        if config["model_type"] == "qwen3":
            parts.update({"self_attn.q_norm": (size,), "self_attn.k_norm": (size,)})
        for part, shape in parts.items():
            result[f"model.layers.{layer}.{part}.weight"] = shape
    return dict(sorted(result.items()))


class Model:
    def __init__(self, config, dtype, device, positions):
        self.config, self.dtype, self.device = config, dtype, device
        generator = torch.Generator(device=device)
        generator.manual_seed(1)
        self.weights = {name: torch.ones(shape, dtype=dtype, device=device) if len(shape) == 1
                        else torch.randn(shape, dtype=dtype, device=device, generator=generator).mul_(DEVIATION) for name, shape in shapes(config).items()}
        self.output = self.weights["model.embed_tokens.weight" if config["tie_word_embeddings"] else "lm_head.weight"]
        size = config["head_dim"]
        frequencies = config["rope_theta"] ** (-torch.arange(0, size, 2, dtype=torch.float32) / size)
        if scaling := config.get("rope_scaling"):
            ratio = scaling["original_max_position_embeddings"] * frequencies / (2 * math.pi)
            blend = ((ratio - scaling["low_freq_factor"]) / (scaling["high_freq_factor"] - scaling["low_freq_factor"])).clamp(0, 1)
            frequencies = (1 - blend) * frequencies / scaling["factor"] + blend * frequencies
        angles = torch.arange(positions, dtype=torch.float32)[:, None] * frequencies
        self.cos, self.sin = angles.cos().to(device, dtype), angles.sin().to(device, dtype)
        self.adapters = {}

    def adapt(self):
        for layer in range(self.config["num_hidden_layers"]):
            for part in PROJECTIONS:
                name = f"model.layers.{layer}.{part}.weight"
                outputs, inputs = self.weights[name].shape
                a = ((2 * torch.rand(RANK, inputs, device=self.device) - 1) / math.sqrt(inputs)).requires_grad_()
                self.adapters[name] = (a, torch.zeros(outputs, RANK, device=self.device, requires_grad=True))

    def norm(self, x, weight):
        wide = x.float()
        return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.config["rms_norm_eps"])).to(x.dtype) * weight

    def linear(self, x, name):
        y = functional.linear(x, self.weights[name])
        if name not in self.adapters:
            return y
        a, b = self.adapters[name]
        return (y + functional.linear(functional.linear(x.float(), a), b) * (ALPHA / RANK)).to(y.dtype)

    def rotate(self, x, cos, sin):
        first, second = x.chunk(2, -1)
        return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)

    def attend(self, q, k, v, bias):
        groups = q.shape[1] // k.shape[1]
        k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
        if hasattr(functional, "scaled_dot_product_attention"):
            return functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        scores = torch.matmul(q, k.transpose(-1, -2)).float() / math.sqrt(q.shape[-1]) + bias
        return torch.matmul(scores.softmax(-1).to(q.dtype), v)

    def hidden(self, batch):
        config, (rows, length) = self.config, batch["tokens"].shape
        x = functional.embedding(batch["tokens"], self.weights["model.embed_tokens.weight"])
        cos, sin = self.cos[batch["positions"]][:, None], self.sin[batch["positions"]][:, None]

        def heads(y, name):
            y = y.view(rows, length, -1, config["head_dim"])
            return (self.norm(y, self.weights[name]) if name in self.weights else y).transpose(1, 2)

        for layer in range(config["num_hidden_layers"]):
            name = f"model.layers.{layer}."
            normed = self.norm(x, self.weights[name + "input_layernorm.weight"])
            q = self.rotate(heads(self.linear(normed, name + "self_attn.q_proj.weight"), name + "self_attn.q_norm.weight"), cos, sin)
            k = self.rotate(heads(self.linear(normed, name + "self_attn.k_proj.weight"), name + "self_attn.k_norm.weight"), cos, sin)
            v = heads(self.linear(normed, name + "self_attn.v_proj.weight"), "")
            x = x + self.linear(self.attend(q, k, v, batch["bias"]).transpose(1, 2).reshape(rows, length, -1), name + "self_attn.o_proj.weight")
            normed = self.norm(x, self.weights[name + "post_attention_layernorm.weight"])
            x = x + self.linear(functional.silu(self.linear(normed, name + "mlp.gate_proj.weight")) * self.linear(normed, name + "mlp.up_proj.weight"), name + "mlp.down_proj.weight")
        return self.norm(x.reshape(rows * length, -1)[batch["places"]], self.weights["model.norm.weight"])

    def logps(self, batch, features=False):
        """log π of every candidate, [C], and where asked for its gradient with respect to the last hidden states, [C, d], without the term that all share."""
        logits = functional.linear(self.hidden(batch), self.output).float()
        normaliser = logits.logsumexp(-1)
        token_logps = logits[batch["place"], batch["token"]] - normaliser[batch["place"]]
        logps = torch.zeros(batch["candidates"], device=self.device).index_add(0, batch["candidate"], token_logps)
        if not features:
            return logps
        expected = torch.matmul(logits.softmax(-1).to(self.dtype), self.output).float()
        told = self.output[batch["token"]].float() - expected[batch["place"]] * batch["own"][:, None]
        return logps, torch.zeros(batch["candidates"], told.shape[1], device=self.device).index_add(0, batch["candidate"], told)

    def layout(self, pools):
        length = max(len(prompt) + sum(len(response) - 1 for response in responses) for prompt, responses in pools)
        tokens, positions, segment = (torch.zeros(len(pools), length, dtype=torch.int64) for _ in range(3))
        places, place, token, candidate, own, count = [], [], [], [], [], 0
        for n, (prompt, responses) in enumerate(pools):
            row, where, part, shared = list(prompt), list(range(len(prompt))), [0] * len(prompt), len(places)
            places.append(n * length + len(prompt) - 1)
            for i, response in enumerate(responses):
                for at in range(len(response)):
                    place.append(shared if at == 0 else len(places) - 1)
                    if at < len(response) - 1:
                        places.append(n * length + len(row) + at)
                token += response
                candidate += [count] * len(response)
                own += [0.0] + [1.0] * (len(response) - 1)
                row += response[:-1]
                where += range(len(prompt), len(prompt) + len(response) - 1)
                part += [i + 1] * (len(response) - 1)
                count += 1
            tokens[n, :len(row)], positions[n, :len(row)], segment[n, :len(row)], segment[n, len(row):] = torch.tensor(row), torch.tensor(where), torch.tensor(part), part[-1]
        segment = segment.to(self.device)
        seen = (segment[:, None, :] == 0) | (segment[:, None, :] == segment[:, :, None])
        seen &= torch.ones(length, length, dtype=torch.bool, device=self.device).tril()
        bias = torch.zeros(seen.shape, dtype=self.dtype, device=self.device).masked_fill_(~seen, float("-inf"))[:, None]
        there = {name: torch.tensor(values, device=self.device) for name, values in (("places", places), ("place", place), ("token", token), ("candidate", candidate), ("own", own))}
        return there | {"tokens": tokens.to(self.device), "positions": positions.to(self.device), "bias": bias, "candidates": count}


def mass(logps, reference, told, k):
    """Greedy log-determinant in sample space, as kernels.py has it."""
    z, u = BETA * ((logps - reference)[1:] - (logps - reference)[0]), told[1:] - told[0]
    weight = z.clamp(-30, 30).exp()
    scale = BETA * weight.sqrt() / (1 + weight.sum())
    v = u * (scale / (RIDGE * (scale.square() * u.square().sum(1)).sum() / len(z)).sqrt())[:, None]
    marginal, rows, picks = v.square().sum(1), torch.empty(k, len(z), dtype=v.dtype), []
    for t in range(k):
        s = int(marginal.argmax())
        picks.append(s + 1)
        e = (v @ v[s] - rows[:t, s] @ rows[:t]) / (1 + marginal[s]).sqrt()
        rows[t] = e
        marginal = marginal - e * e
        marginal[s] = -math.inf
    return picks


def main(threads, shape, work, dtype, device, records, candidates, prompt, response, budget, rounds):
    torch.set_num_threads(int(threads))
    records, candidates, prompt, response, budget, rounds = map(int, (records, candidates, prompt, response, budget, rounds))
    with open(shape, encoding="utf-8") as file:
        config = json.load(file)
    model = Model(config, getattr(torch, dtype), torch.device(device), prompt + response)
    vocabulary = config["vocab_size"]

    def tokens(n, part, count):
        return [(n * 131 + part * 31 + i * 7 + i * i * (part + 1)) % vocabulary for i in range(count)]

    pools = [(tokens(n, 0, prompt), [tokens(n, c, response) for c in range(1, candidates + 1)]) for n in range(records)]

    def groups(all_pools):
        length = prompt + len(all_pools[0][1]) * (response - 1)
        step = max(1, budget // length)
        return [all_pools[first:first + step] for first in range(0, len(all_pools), step)]

    def score():
        with torch.no_grad():
            return float(torch.cat([model.logps(model.layout(group)).cpu() for group in groups(pools)])[0])

    def select():
        first = None
        with torch.no_grad():
            for group in groups(pools):
                batch = model.layout(group)
                logps, told = (x.cpu().double() for x in model.logps(batch, features=True))
                reference = model.logps(batch).cpu().double()
                first = float(logps[0]) if first is None else first
                for n in range(len(group)):
                    part = slice(n * candidates, (n + 1) * candidates)
                    mass(logps[part], reference[part], told[part], NEGATIVES)
        return first

    kept = [(p, responses[:NEGATIVES + 1]) for p, responses in pools]
    parameters = []
    if work in ("train", "snapshot"):
        with torch.no_grad():
            references = [model.logps(model.layout(group)) for group in groups(kept)]
        model.adapt()
        parameters = [tensor for pair in model.adapters.values() for tensor in pair]
        optimizer = torch.optim.AdamW(parameters, lr=RATE, weight_decay=0.0)

    def train():
        total = 0.0
        for group, reference in zip(groups(kept), references):
            ratios = BETA * (model.logps(model.layout(group)) - reference).view(len(group), NEGATIVES + 1)
            loss = functional.softplus((ratios[:, 1:] - ratios[:, :1]).logsumexp(1)).sum() / records
            loss.backward()
            total += float(loss)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)
        return total

    def snapshot():
        # What a state_dict is written to and read from, in PyTorch's own format.
        buffer = io.BytesIO()
        torch.save([tensor.detach().clone() for tensor in parameters], buffer)
        size = buffer.tell()
        buffer.seek(0)
        torch.load(buffer, map_location=device)
        return float(size)

    body = {"score": score, "select": select, "train": train, "snapshot": snapshot}[work]
    check = body()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        body()
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    print(json.dumps({"seconds": times, "records": records, "resident_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, "check": check,
                      "tokens": sum(len(p) + sum(map(len, responses)) for p, responses in pools), "weights_bytes": sum(w.numel() * w.element_size() for w in model.weights.values())}))


if __name__ == "__main__":
    main(*sys.argv[1:])
