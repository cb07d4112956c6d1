// Adam in one pass over its tensors, and the sum of squares for clipping. After forward.h, as backward.h.

// As PyTorch computes it, operation by operation.
void mdt::fused::MDT_NAME(step)(const adam_slot& slot, const adam_step& step) {
  const lanes16 scale = all(step.scale), beta1 = all(step.beta1), rest1 = all(step.rest1), beta2 = all(step.beta2), rest2 = all(step.rest2);
  const lanes16 epsilon = all(step.epsilon), correction2 = all(step.correction2), rate = all(-step.rate), decay = all(slot.decay);
  for (int64_t i = 0; i < slot.count; i += lanes) {
    const int64_t n = slot.count - i;
    const bool whole = n >= lanes;
    const auto read = [&](const float* from) { return whole ? load(from + i) : load_some(from + i, n); };
    const lanes16 gradient = mul(read(slot.gradient), scale);
    const lanes16 mean = add(mul(read(slot.mean), beta1), mul(gradient, rest1));
    const lanes16 square = add(mul(read(slot.square), beta2), mul(mul(gradient, gradient), rest2));
    const lanes16 below = add(div(root(square), correction2), epsilon);
    const lanes16 parameter = add(mul(read(slot.parameter), decay), mul(rate, div(mean, below)));
    const auto write = [&](float* to, lanes16 x) {
      if (whole) store(to + i, x);
      else store_some(to + i, n, x);
    };
    write(slot.mean, mean);
    write(slot.square, square);
    write(slot.parameter, parameter);
  }
}

double mdt::fused::MDT_NAME(squares)(const float* x, int64_t count) {
  // Parts of a few thousand in float, then in double, so that millions of numbers lose nothing.
  constexpr int64_t part = 256 * lanes;
  double total = 0;
  for (int64_t start = 0; start < count; start += part) {
    const int64_t end = start + part < count ? start + part : count;
    lanes16 within = all(0.0f);
    for (int64_t i = start; i < end; i += lanes) {
      const lanes16 v = end - i >= lanes ? load(x + i) : load_some(x + i, end - i);
      within = fma(v, v, within);
    }
    total += static_cast<double>(sum(within));
  }
  return total;
}
