"""A Llama policy in plain PyTorch, out of a Hugging Face directory, and the records as token ids."""
import gzip
import json
import struct
from pathlib import Path

import torch
from torch.nn import functional


def load_tensors(path):
    """The float32 tensors of a safetensors file, by name."""
    data = bytearray(Path(path).read_bytes())
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(bytes(data[8:8 + size]))
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            tensors[name] = torch.frombuffer(data, dtype=torch.float32, offset=8 + size + start, count=(end - start) // 4).view(entry["shape"]).clone()
    return tensors


def load_records(directory, path, count):
    """(id, prompt token ids, [response token ids, the chosen one first]) of the first records, as the product encodes them."""
    tokenizer = json.loads((Path(directory) / "tokenizer.json").read_text(encoding="utf-8"))
    config = json.loads((Path(directory) / "config.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    bos, eos = config["bos_token_id"], config["eos_token_id"]
    records = []
    with (gzip.open if str(path).endswith(".gz") else open)(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            if len(records) == count:
                break
            record = json.loads(line)
            texts = list(dict.fromkeys([record["chosen"], *record["rejected"]]))
            if isinstance(record["prompt"], str):
                prompt = [bos, *(vocabulary[word] for word in record["prompt"].split())]
                responses = [[*(vocabulary[word] for word in text.split()), eos] for text in texts]
            else:
                room = config["max_position_embeddings"] - 2
                prompt = [bos, *(vocabulary[item] for item in record["prompt"]["history"][-room:])]
                responses = [[vocabulary[item]] for item in texts]
            records.append((record["id"], prompt, responses))
    return records


class Batch:
    """
    Rows [N, L] of tokens with what predicts the response tokens: `place` [P] of N·L, `token` [P] and `candidate` [P], of C, in order.
    `first` [P] is true where the place is the prompt's last. `bias` is added to attention scores; None: each place sees all before it.
    """

    def __init__(self, tokens, positions, bias, place, token, candidate, first, candidates):
        self.tokens, self.positions, self.bias = tokens, positions, bias
        self.place, self.token, self.candidate, self.first, self.candidates = place, token, candidate, first, candidates


def apart(pools):
    """Each candidate a row of its own, behind its own copy of the prompt."""
    rows = [(prompt, response) for prompt, responses in pools for response in responses]
    length = max(len(prompt) + len(response) for prompt, response in rows) - 1
    tokens = torch.zeros(len(rows), length, dtype=torch.int64)
    place, token, candidate, first = [], [], [], []
    for n, (prompt, response) in enumerate(rows):
        row = prompt + response[:-1]
        tokens[n, :len(row)] = torch.tensor(row)
        place.extend(range(n * length + len(prompt) - 1, n * length + len(row)))
        token.extend(response)
        candidate.extend([n] * len(response))
        first.extend([True] + [False] * (len(response) - 1))
    return Batch(tokens, None, None, torch.tensor(place), torch.tensor(token), torch.tensor(candidate), torch.tensor(first), len(rows))


def packed(pools):
    """Each pool one row: the prompt once, then every response without its last token, which sees the prompt and itself."""
    length = max(len(prompt) + sum(len(response) - 1 for response in responses) for prompt, responses in pools)
    tokens = torch.zeros(len(pools), length, dtype=torch.int64)
    positions = torch.zeros(len(pools), length, dtype=torch.int64)
    segment = torch.zeros(len(pools), length, dtype=torch.int64)
    place, token, candidate, first = [], [], [], []
    candidates = 0
    for n, (prompt, responses) in enumerate(pools):
        row, where, part = list(prompt), list(range(len(prompt))), [0] * len(prompt)
        for i, response in enumerate(responses):
            place.append(n * length + len(prompt) - 1)
            place.extend(range(n * length + len(row), n * length + len(row) + len(response) - 1))
            token.extend(response)
            candidate.extend([candidates] * len(response))
            first.extend([True] + [False] * (len(response) - 1))
            row += response[:-1]
            where.extend(range(len(prompt), len(prompt) + len(response) - 1))
            part.extend([i + 1] * (len(response) - 1))
            candidates += 1
        tokens[n, :len(row)] = torch.tensor(row)
        positions[n, :len(row)] = torch.tensor(where)
        segment[n, :len(row)] = torch.tensor(part)
        segment[n, len(row):] = part[-1]
    bias = None
    if int(segment.max()) > 0:
        seen = (segment[:, None, :] == 0) | (segment[:, None, :] == segment[:, :, None])
        seen &= torch.ones(length, length, dtype=torch.bool).tril()
        bias = torch.zeros(seen.shape).masked_fill_(~seen, float("-inf"))[:, None]
    return Batch(tokens, positions if bias is not None else None, bias, torch.tensor(place), torch.tensor(token), torch.tensor(candidate),
                 torch.tensor(first), candidates)


PROJECTIONS = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"]


class Llama:
    """
    RMSNorm, rotary embeddings, attention, SwiGLU; the parameters under Hugging Face's names. With a PEFT directory, adapters (LoRA) beside all seven matrices of each
    layer, under the names of their matrices.
    """

    def __init__(self, directory, adapter=None):
        config = json.loads((Path(directory) / "config.json").read_text())
        self.heads, self.layers, self.epsilon = config["num_attention_heads"], config["num_hidden_layers"], config["rms_norm_eps"]
        assert config["num_key_value_heads"] == self.heads and config["tie_word_embeddings"]
        self.parameters = load_tensors(Path(directory) / "model.safetensors")
        size = config.get("head_dim") or config["hidden_size"] // self.heads
        frequencies = config["rope_theta"] ** (-torch.arange(0, size, 2, dtype=torch.float32) / size)
        angles = torch.arange(config["max_position_embeddings"], dtype=torch.float32)[:, None] * frequencies
        self.cos, self.sin = angles.cos(), angles.sin()
        self.adapters, self.scale = {}, 0.0
        if adapter:
            peft = json.loads((Path(adapter) / "adapter_config.json").read_text())
            assert not peft["rank_pattern"] and not peft["alpha_pattern"] and not peft["use_rslora"] and len(peft["target_modules"]) == len(PROJECTIONS)
            self.scale = peft["lora_alpha"] / peft["r"]
            tensors = load_tensors(Path(adapter) / "adapter_model.safetensors")
            for layer in range(self.layers):
                for part in PROJECTIONS:
                    module = f"model.layers.{layer}.{part}"
                    self.adapters[module + ".weight"] = tuple(tensors[f"base_model.model.{module}.lora_{which}.weight"] for which in "AB")

    def linear(self, x, name):
        y = functional.linear(x, self.parameters[name])
        if name not in self.adapters:
            return y
        a, b = self.adapters[name]
        return y + functional.linear(functional.linear(x, a), b) * self.scale

    def norm(self, x, weight):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.epsilon) * weight

    def rotate(self, x, cos, sin):
        first, second = x.chunk(2, -1)
        return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)

    def hidden(self, batch):
        """The last hidden states at the predicting places, each once: ([U, d], [P] which of them predicts each token)."""
        p = self.parameters
        rows, length = batch.tokens.shape
        embedding = p["model.embed_tokens.weight"]
        x = functional.embedding(batch.tokens, embedding)
        if batch.positions is None:
            cos, sin = self.cos[:length], self.sin[:length]
        else:
            cos, sin = self.cos[batch.positions][:, None], self.sin[batch.positions][:, None]
        bias = torch.full((length, length), float("-inf")).triu_(1) if batch.bias is None else batch.bias

        def heads(y):
            return y.view(rows, length, self.heads, -1).transpose(1, 2)

        for layer in range(self.layers):
            name = f"model.layers.{layer}."
            normed = self.norm(x, p[name + "input_layernorm.weight"])
            q = self.rotate(heads(self.linear(normed, name + "self_attn.q_proj.weight")), cos, sin)
            k = self.rotate(heads(self.linear(normed, name + "self_attn.k_proj.weight")), cos, sin)
            v = heads(self.linear(normed, name + "self_attn.v_proj.weight"))
            scores = torch.matmul(q * q.shape[-1] ** -0.5, k.transpose(-1, -2)) + bias
            attended = torch.matmul(scores.softmax(-1), v).transpose(1, 2).reshape(rows, length, -1)
            x = x + self.linear(attended, name + "self_attn.o_proj.weight")
            normed = self.norm(x, p[name + "post_attention_layernorm.weight"])
            inner = functional.silu(self.linear(normed, name + "mlp.gate_proj.weight")) * self.linear(normed, name + "mlp.up_proj.weight")
            x = x + self.linear(inner, name + "mlp.down_proj.weight")
        places, which = batch.place.unique(return_inverse=True)
        return self.norm(x.view(rows * length, -1)[places], p["model.norm.weight"]), which

    def logps(self, batch, features=False):
        """log π of every candidate, [C], and, where asked for, the gradient of it with respect to the last hidden states, [C, d]."""
        hidden, which = self.hidden(batch)
        output = self.parameters["model.embed_tokens.weight"]
        logits = functional.linear(hidden, output)
        normaliser = logits.logsumexp(-1)
        token_logps = logits[which, batch.token] - normaliser[which]
        logps = torch.zeros(batch.candidates).index_add(0, batch.candidate, token_logps)
        if not features:
            return logps
        told = output[batch.token]
        own = (~batch.first).nonzero().view(-1)
        if len(own):
            expected = torch.matmul((logits - normaliser[:, None]).exp_(), output)
            told = told.index_add(0, own, expected[which[own]], alpha=-1)
        return logps, torch.zeros(batch.candidates, told.shape[1]).index_add(0, batch.candidate, told)
