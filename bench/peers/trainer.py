"""
What the four peers share: the loop, the loss, the optimiser, greedy selection by mass, and what is timed.

Steady state: after --warm-up updates the clock runs over the updates that follow, from the first to the end of the last: selection, batching to
tensors, forward, backward, clipping, Adam. Tokenising and reading are done before.
"""
import argparse
import json
import time

import numpy as np
import torch

import policy


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--policy", required=True, help="Hugging Face directory")
    parser.add_argument("--data", required=True, help="records, .jsonl or .jsonl.gz")
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--updates", type=int, required=True, help="that are timed")
    parser.add_argument("--warm-up", type=int, required=True, help="updates before them")
    parser.add_argument("--micro-batch", type=int, default=0, help="records of one forward; 0: the batch")
    parser.add_argument("--negatives", type=int, default=3)
    parser.add_argument("--beta", type=float, required=True)
    parser.add_argument("--learning-rate", type=float, required=True)
    parser.add_argument("--learning-rate-warm-up", type=int, default=0)
    parser.add_argument("--adam-beta2", type=float, default=0.999)
    parser.add_argument("--adapter", help="PEFT directory of adapters, which are then all that is trained; the reference is the policy with them as they are")
    parser.add_argument("--picks", help="selections.jsonl of a run whose picks are trained on, to compare losses")
    parser.add_argument("--losses", action="store_true", help="print every update's loss")
    parser.add_argument("--logps", action="store_true", help="print the log-probabilities of the first batch's whole pools and end")
    return parser.parse_args()


def greedy(logps, reference, features, beta, k, ridge=1e-2):
    """
    The picks of each pool, by mass: argmax of log det(I + K_S/γ), one after the other, all pools at once. Pools are filled up to the largest.
    logps, reference: [N] lists of [C]; features: list of [C, d].
    """
    most = max(len(pool) for pool in logps) - 1
    z = torch.full((len(logps), most), float("-inf"), dtype=torch.float64)
    u = torch.zeros(len(logps), most, features[0].shape[1], dtype=torch.float64)
    for n, (pool, ref, phi) in enumerate(zip(logps, reference, features)):
        delta = (pool - ref).double()
        z[n, :len(pool) - 1] = (beta * (delta[1:] - delta[0])).clamp(-30, 30)
        u[n, :len(pool) - 1] = (phi[1:] - phi[:1]).double()
    weight = z.exp()
    total = 1 + weight.sum(1, keepdim=True)
    v = u * (beta * weight.sqrt() / total)[:, :, None]
    gram = torch.matmul(v, v.transpose(1, 2))
    count = torch.tensor([len(pool) - 1.0 for pool in logps], dtype=torch.float64)
    gram /= (ridge * gram.diagonal(dim1=1, dim2=2).sum(1) / count)[:, None, None]
    marginal = gram.diagonal(dim1=1, dim2=2).clone()
    marginal[torch.isinf(z)] = float("-inf")
    row = torch.arange(len(logps))
    chain = []
    picks = []
    for _ in range(min(k, most)):
        best = marginal.argmax(1)
        picks.append(best)
        e = gram[row, best]
        for earlier in chain:
            e = e - earlier * earlier[row, best][:, None]
        e = e / (1 + marginal[row, best]).sqrt()[:, None]
        chain.append(e)
        marginal = marginal - e.square()
        marginal[row, best] = float("-inf")
    return (torch.stack(picks, 1) + 1).tolist()


def loss_of(logps, reference, sizes, beta):
    """Plackett–Luce, summed over records: softplus(logsumexp z). All records have as many negatives."""
    delta = (logps - reference).view(len(sizes), -1)
    z = beta * (delta[:, 1:] - delta[:, :1])
    return torch.nn.functional.softplus(z.logsumexp(1)).sum()


class Trainer:
    """
    lay_out: how pools become rows (policy.apart or policy.packed); caches: whether a record's reference is computed once;
    by_mass: whether the pool is scored and chosen from by mass, or negatives are drawn at random.
    """

    def __init__(self, options, lay_out, caches, by_mass):
        self.options, self.lay_out, self.by_mass = options, lay_out, by_mass
        self.model, self.reference = policy.Llama(options.policy, options.adapter), policy.Llama(options.policy, options.adapter)
        self.cache = {} if caches else None
        self.random = np.random.default_rng(1)
        parameters = [matrix for pair in self.model.adapters.values() for matrix in pair] if options.adapter else list(self.model.parameters.values())
        for parameter in parameters:
            parameter.requires_grad_()
        self.adam = torch.optim.Adam(parameters, lr=options.learning_rate, betas=(0.9, options.adam_beta2), eps=1e-8)
        self.parameters = parameters
        self.updates = 0
        self.reference_seconds = 0.0
        self.picks = None
        if options.picks:
            with open(options.picks, encoding="utf-8") as lines:
                events = [json.loads(line) for line in lines]
            self.picks = {event["id"]: [pick["index"] for pick in event["picks"]] for event in events}

    def reference_logps(self, names, pools):
        start = time.perf_counter()
        missing = [n for n, name in enumerate(names) if self.cache is None or name not in self.cache]
        found = {}
        if missing:
            with torch.no_grad():
                batch = self.lay_out([pools[n] for n in missing])
                parts = self.reference.logps(batch).split([len(pools[n][1]) for n in missing])
            found = dict(zip(missing, parts))
            if self.cache is not None:
                self.cache.update((names[n], part) for n, part in found.items())
        self.reference_seconds += time.perf_counter() - start
        return [found[n] if n in found else self.cache[name] for n, name in enumerate(names)]

    def update(self, records):
        o = self.options
        rate = o.learning_rate * min(1.0, (self.updates + 1) / o.learning_rate_warm_up) if o.learning_rate_warm_up else o.learning_rate
        for group in self.adam.param_groups:
            group["lr"] = rate
        self.adam.zero_grad(set_to_none=True)
        size = o.micro_batch or len(records)
        total = 0.0
        for start in range(0, len(records), size):
            total += self.accumulate(records[start:start + size], len(records))
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.adam.step()
        self.updates += 1
        return total / len(records)

    def accumulate(self, records, batch):
        o = self.options
        names = [name for name, _, _ in records]
        if self.by_mass:
            pools = [(prompt, responses) for _, prompt, responses in records]
            with torch.no_grad():
                laid_out = self.lay_out(pools)
                logps, features = self.model.logps(laid_out, features=True)
            sizes = [len(responses) for _, responses in pools]
            whole = self.reference_logps(names, pools)
            picks = greedy(logps.split(sizes), whole, features.split(sizes), o.beta, o.negatives)
        else:
            picks = [1 + self.random.permutation(len(responses) - 1)[:o.negatives] for _, _, responses in records]
        if self.picks is not None:
            picks = [self.picks[name] for name in names]
        chosen = [(prompt, [responses[0], *(responses[i] for i in kept)]) for (_, prompt, responses), kept in zip(records, picks)]
        if self.by_mass:
            reference = torch.cat([ref[[0, *kept]] for ref, kept in zip(whole, picks)])
        else:
            reference = torch.cat(self.reference_logps(names, chosen))
        loss = loss_of(self.model.logps(self.lay_out(chosen)), reference, chosen, o.beta)
        (loss / batch).backward()
        return loss.item()


def main(lay_out, caches, by_mass):
    torch.set_num_threads(1)
    o = arguments()
    records = policy.load_records(o.policy, o.data, (o.warm_up + o.updates) * o.batch)
    # Records with too few negatives would need a second shape of loss; neither data set has any.
    assert all(len(responses) > o.negatives for _, _, responses in records)
    if len(records) < (o.warm_up + o.updates) * o.batch:
        raise SystemExit(f"{o.data} has {len(records)} records: fewer than {o.warm_up + o.updates} updates of {o.batch} need")
    trainer = Trainer(o, lay_out, caches, by_mass)
    if o.logps:
        pools = [(prompt, responses) for _, prompt, responses in records[:o.batch]]
        with torch.no_grad():
            parts = trainer.model.logps(lay_out(pools)).split([len(responses) for _, responses in pools])
        for (name, _, _), part in zip(records, parts):
            print(json.dumps({"id": name, "logps": part.tolist()}))
        return
    for n in range(o.warm_up + o.updates):
        if n == o.warm_up:
            trainer.reference_seconds = 0.0
            start, cpu = time.perf_counter(), time.process_time()
        loss = trainer.update(records[n * o.batch:(n + 1) * o.batch])
        if o.losses:
            print(json.dumps({"update": n + 1, "loss": loss}))
    seconds = time.perf_counter() - start
    count = o.updates * o.batch
    print(json.dumps({"records_per_s": count / seconds, "without_reference": count / (seconds - trainer.reference_seconds), "records": count,
                      "seconds": seconds, "cpu_seconds": time.process_time() - cpu}))
