// The forward that keeps what its backward needs, and the backward. After forward.h, whose kernels it uses.

namespace {

// C [m, n] += Aᵀ·B for A [rows, m] and B [rows, n]: how a matrix's gradient grows.
void accumulate(int64_t rows, int64_t m, int64_t n, const float* a, int64_t a_row, const float* b, int64_t b_row, float* c, int64_t c_row) {
  multiply<onward, true>(m, n, rows, a, a_row, b, b_row, lanes, c, c_row);
}

// Back through normalise: dx += …, dweight += ….
void normalise_back(int64_t rows, int64_t d, const float* x, const float* weight, float epsilon, const float* dy, float* dx, float* dweight) {
  for (int64_t row = 0; row < rows; ++row, x += d, dy += d, dx += d) {
    lanes16 squares = all(0.0f), products = all(0.0f);
    for (int64_t i = 0; i < d; i += lanes) {
      const int64_t n = d - i;
      const bool whole = n >= lanes;
      const lanes16 part = whole ? load(x + i) : load_some(x + i, n);
      const lanes16 pull = mul(whole ? load(dy + i) : load_some(dy + i, n), whole ? load(weight + i) : load_some(weight + i, n));
      squares = fma(part, part, squares);
      products = fma(part, pull, products);
    }
    const float scale = 1.0f / __builtin_sqrtf(sum(squares) / static_cast<float>(d) + epsilon);
    const lanes16 along = all(scale * scale * scale * sum(products) / static_cast<float>(d)), by = all(scale);
    for (int64_t i = 0; i < d; i += lanes) {
      const int64_t n = d - i;
      const bool whole = n >= lanes;
      const auto read = [&](const float* from) { return whole ? load(from + i) : load_some(from + i, n); };
      const lanes16 part = read(x), pull = read(dy);
      const lanes16 to_x = add(read(dx), sub(mul(mul(pull, read(weight)), by), mul(part, along)));
      const lanes16 to_weight = add(read(dweight), mul(pull, mul(part, by)));
      if (whole) {
        store(dx + i, to_x);
        store(dweight + i, to_weight);
      } else {
        store_some(dx + i, n, to_x);
        store_some(dweight + i, n, to_weight);
      }
    }
  }
}

// Back through gate: what it gave [rows, I], and the gradient of what it was given [rows, 2·I] from that of what it gave [rows, I].
void gate_back(int64_t rows, int64_t inner, const float* x, const float* dy, float* y, float* dx) {
  for (int64_t row = 0; row < rows; ++row, x += 2 * inner, dx += 2 * inner, y += inner, dy += inner)
    for (int64_t i = 0; i < inner; i += lanes) {
      const int64_t n = inner - i;
      const bool whole = n >= lanes;
      const auto read = [&](const float* from) { return whole ? load(from + i) : load_some(from + i, n); };
      const auto write = [&](float* to, lanes16 v) {
        if (whole) store(to + i, v);
        else store_some(to + i, n, v);
      };
      const lanes16 g = read(x), up = read(x + inner), pull = read(dy), one = all(1.0f);
      const lanes16 sigmoid = div(one, add(one, exponential(sub(all(0.0f), g))));
      const lanes16 silu = mul(g, sigmoid);
      write(y, mul(silu, up));
      write(dx + inner, mul(pull, silu));
      write(dx, mul(mul(pull, up), mul(sigmoid, add(one, mul(g, sub(one, sigmoid))))));
    }
}

// Weights p of some rows and the gradient of what they were made of, from those of p: p·(dp − ⟨dattended, attended⟩), into dp.
void weigh_back(int64_t rows, int64_t width, const float* p, float* dp, int64_t s, int64_t row, const float* attended, const float* dattended) {
  for (int64_t r = 0; r < rows; ++r, p += width, dp += width, attended += row, dattended += row) {
    lanes16 dots = all(0.0f);
    for (int64_t i = 0; i < s; i += lanes) {
      const int64_t n = s - i;
      dots = n >= lanes ? fma(load(attended + i), load(dattended + i), dots) : fma(load_some(attended + i, n), load_some(dattended + i, n), dots);
    }
    const lanes16 mean = all(sum(dots));
    for (int64_t i = 0; i < width; i += lanes) store(dp + i, mul(load(p + i), sub(load(dp + i), mean)));
  }
}

// Back through attend: dq is written, dkv added to.
void attend_back(const shape& dims, const batch& b, const record& r, int64_t first_query, const float* q, const float* kv, const float* attended,
                 const float* dattended, const scratch& w, float* dq, float* dkv) {
  const int64_t s = dims.head_size, width = static_cast<int64_t>(dims.heads) * s, kv_width = int64_t{2} * dims.kv_heads * s;
  const int64_t group = dims.heads / dims.kv_heads;
  const int64_t prompt = r.prompt, padded = round_up(prompt);
  for (int64_t g = 0; g < dims.kv_heads; ++g) {
    const float* const keys = kv + g * s;
    const float* const values = kv + (dims.kv_heads + g) * s;
    float* const dkeys = dkv + g * s;
    float* const dvalues = dkv + (dims.kv_heads + g) * s;
    pack_keys(prompt, s, keys, kv_width, w.keys);
    pack_keys(prompt, s, values, kv_width, w.values);
    int64_t to = padded * s;
    for (int64_t i = 0; i < r.segments; ++i) {
      const segment& part = b.segments[r.first_segment + i];
      pack_keys(part.count, s, keys + part.first * kv_width, kv_width, w.keys + to);
      pack_keys(part.count, s, values + part.first * kv_width, kv_width, w.values + to);
      to += round_up(part.count) * s;
    }
    for (int64_t h = g * group; h < (g + 1) * group; ++h) {
      for (int64_t start = first_query; start < prompt; start += back_tile) {
        const int64_t end = start + back_tile < prompt ? start + back_tile : prompt, rows = end - start, visible = round_up(end);
        const int64_t at = (start - first_query) * width + h * s;
        multiply<into>(rows, visible, s, q + at, width, w.keys, lanes, lanes * s, w.scores, visible);
        for (int64_t i = start; i < end; ++i) {
          float* const p = w.scores + (i - start) * visible;
          const float factor = weigh(p, i + 1, visible, 0, 0);
          scale_row(p, visible, factor);
        }
        multiply<into>(rows, visible, s, dattended + at, width, w.values, lanes, lanes * s, w.dscores, visible);
        weigh_back(rows, visible, w.scores, w.dscores, s, width, attended + at, dattended + at);
        multiply<into>(rows, s, end, w.dscores, visible, keys, kv_width, lanes, dq + at, width);
        accumulate(rows, end, s, w.dscores, visible, q + at, width, dkeys, kv_width);
        accumulate(rows, end, s, w.scores, visible, dattended + at, width, dvalues, kv_width);
      }
      int64_t own = padded * s;
      for (int64_t n = 0; n < r.segments; ++n) {
        const segment& part = b.segments[r.first_segment + n];
        const int64_t own_padded = round_up(part.count), visible = padded + own_padded;
        for (int64_t start = 0; start < part.count; start += back_tile) {
          const int64_t end = start + back_tile < part.count ? start + back_tile : part.count, rows = end - start;
          const int64_t at = (part.first + start - first_query) * width + h * s;
          multiply<into>(rows, padded, s, q + at, width, w.keys, lanes, lanes * s, w.scores, visible);
          multiply<into>(rows, own_padded, s, q + at, width, w.keys + own, lanes, lanes * s, w.scores + padded, visible);
          for (int64_t i = start; i < end; ++i) {
            float* const p = w.scores + (i - start) * visible;
            const float factor = weigh(p, prompt, padded, i + 1, own_padded);
            scale_row(p, visible, factor);
          }
          multiply<into>(rows, padded, s, dattended + at, width, w.values, lanes, lanes * s, w.dscores, visible);
          multiply<into>(rows, own_padded, s, dattended + at, width, w.values + own, lanes, lanes * s, w.dscores + padded, visible);
          weigh_back(rows, visible, w.scores, w.dscores, s, width, attended + at, dattended + at);
          multiply<into>(rows, s, prompt, w.dscores, visible, keys, kv_width, lanes, dq + at, width);
          multiply<onward>(rows, s, end, w.dscores + padded, visible, keys + part.first * kv_width, kv_width, lanes, dq + at, width);
          accumulate(rows, prompt, s, w.dscores, visible, q + at, width, dkeys, kv_width);
          accumulate(rows, end, s, w.dscores + padded, visible, q + at, width, dkeys + part.first * kv_width, kv_width);
          accumulate(rows, prompt, s, w.scores, visible, dattended + at, width, dvalues, kv_width);
          accumulate(rows, end, s, w.scores + padded, visible, dattended + at, width, dvalues + part.first * kv_width, kv_width);
        }
        own += own_padded * s;
      }
    }
  }
}

void clear(int64_t count, float* x) { __builtin_memset(x, 0, static_cast<size_t>(count) * sizeof(float)); }

// From gradients of the response tokens' log-probabilities to those of the last hidden states, [U, d] into w.dx.
void predict_back(const model& m, const batch& b, int64_t places, const tape& t, const scratch& w, const gradients& to) {
  const int64_t d = m.shape.hidden, vocabulary = m.shape.vocabulary, stride = round_up(vocabulary);
  for (int64_t place = 0; place < places; ++place) {
    float* const logits = t.logits + place * stride;
    float total = 0;
    for (int64_t i = b.place_target[place]; i < b.place_target[place + 1]; ++i) total = total + w.token_gradient[b.target_number[i]];
    const lanes16 by = all(-total), normaliser = all(t.normaliser[place]);
    for (int64_t i = 0; i < vocabulary; i += lanes) store(logits + i, mul(by, exponential(sub(load(logits + i), normaliser))));
    for (int64_t i = b.place_target[place]; i < b.place_target[place + 1]; ++i) {
      float* const at = logits + b.target_token[i];
      *at = *at + w.token_gradient[b.target_number[i]];
    }
  }
  clear(places * d, w.dx);
  // Rows of W that a second-level cache holds.
  constexpr int64_t part = 256;
  for (int64_t start = 0; start < vocabulary; start += part) {
    const int64_t n = vocabulary - start < part ? vocabulary - start : part;
    multiply<onward>(places, d, n, t.logits + start, stride, m.output_rows + start * m.output_stride, m.output_stride, lanes, w.dx, d);
  }
  accumulate(places, vocabulary, d, t.logits, stride, t.hidden, d, to.output, d);
}

// Back through the MLP: w.dx goes from what the layer gave to what came after attention.
void mlp_back(const shape& dims, const layer& l, const back_layer& back, const layer_tape& tape, int64_t rows, const scratch& w, const layer_gradients& to) {
  const int64_t d = dims.hidden, inner = dims.intermediate;
  for (int64_t start = 0; start < rows; start += back_rows) {
    const int64_t n = rows - start < back_rows ? rows - start : back_rows;
    float* const dx = w.dx + start * d;
    const float* const middle = tape.middle + start * d;
    multiply<into>(n, dx, d, back.down, w.dinner, inner);
    gate_back(n, inner, tape.gate_up + start * 2 * inner, w.dinner, w.inner, w.dgate_up);
    accumulate(n, d, inner, dx, d, w.inner, inner, to.down, inner);
    normalise(n, d, middle, l.mlp_norm, dims.epsilon, w.normed);
    accumulate(n, inner, d, w.dgate_up, 2 * inner, w.normed, d, to.gate, d);
    accumulate(n, inner, d, w.dgate_up + inner, 2 * inner, w.normed, d, to.up, d);
    multiply<into>(n, w.dgate_up, 2 * inner, back.gate_up, w.dnormed, d);
    normalise_back(n, d, middle, l.mlp_norm, dims.epsilon, w.dnormed, dx, to.mlp_norm);
  }
}

}  // namespace

// All records of a batch at once.
void mdt::fused::MDT_NAME(learn)(const model& m, const batch& b, int64_t count, const tape& t, const scratch& s, float* token_logps, float* logps) {
  const shape& dims = m.shape;
  const int64_t d = dims.hidden, inner = dims.intermediate, vocabulary = dims.vocabulary, stride = round_up(vocabulary);
  const int64_t width = int64_t{dims.heads} * dims.head_size, kv = int64_t{dims.kv_heads} * dims.head_size;
  const record& last = b.records[count - 1];
  const int64_t rows = last.first_row + last.rows, places = last.first_place + last.places;
  const float scale = static_cast<float>(1.0 / __builtin_sqrt(static_cast<double>(dims.head_size)));
  workspace w{};
  w.keys = s.keys;
  w.scores = s.scores;
  for (int64_t row = 0; row < rows; ++row) copy(m.embedding + static_cast<int64_t>(b.row_token[row]) * d, d, t.layers[0].x + row * d);
  for (int64_t i = 0; i < dims.layers; ++i) {
    const layer& l = m.layers[i];
    const layer_tape& own = t.layers[i];
    const bool is_last = i == dims.layers - 1;
    const int64_t queries = is_last ? places : rows;
    const float* x = own.x;
    normalise(rows, d, x, l.attention_norm, dims.epsilon, s.normed);
    multiply<into>(rows, s.normed, d, l.keys_values, own.kv, 2 * kv);
    rotate<false>(rows, dims.kv_heads, dims.head_size, 2 * kv, b.cos, b.sin, b.row_position, nullptr, 1.0f, own.kv);
    if (is_last) {
      for (int64_t place = 0; place < places; ++place) copy(x + b.place_row[place] * d, d, t.at_places + place * d);
      x = t.at_places;
      normalise(places, d, x, l.attention_norm, dims.epsilon, s.normed);
    }
    multiply<into>(queries, s.normed, d, l.queries, own.q, width);
    rotate<false>(queries, dims.heads, dims.head_size, width, b.cos, b.sin, b.row_position, is_last ? b.place_row : nullptr, scale, own.q);
    for (int64_t n = 0; n < count; ++n) {
      const record& r = b.records[n];
      const int64_t at = is_last ? r.first_place : r.first_row;
      attend(dims, b, r, is_last ? r.prompt - 1 : 0, own.q + at * width, own.kv + r.first_row * 2 * kv, w, own.attended + at * width);
    }
    copy(x, queries * d, own.middle);
    multiply<plus>(queries, own.attended, width, l.attention_output, own.middle, d);
    float* const next = is_last ? t.x : t.layers[i + 1].x;
    copy(own.middle, queries * d, next);
    for (int64_t start = 0; start < queries; start += mlp_rows) {
      const int64_t n = queries - start < mlp_rows ? queries - start : mlp_rows;
      normalise(n, d, own.middle + start * d, l.mlp_norm, dims.epsilon, s.normed);
      multiply<into>(n, s.normed, d, l.gate_up, own.gate_up + start * 2 * inner, 2 * inner);
      gate(n, inner, own.gate_up + start * 2 * inner, s.inner, inner);
      multiply<plus>(n, s.inner, inner, l.down, next + start * d, d);
    }
  }
  normalise(places, d, t.x, m.final_norm, dims.epsilon, t.hidden);
  multiply<into>(places, t.hidden, d, m.output, t.logits, stride);
  for (int64_t place = 0; place < places; ++place) {
    const float* const logits = t.logits + place * stride;
    t.normaliser[place] = log_sum(logits, vocabulary);
    for (int64_t i = b.place_target[place]; i < b.place_target[place + 1]; ++i)
      token_logps[b.target_number[i]] = logits[b.target_token[i]] - t.normaliser[place];
  }
  for (int64_t c = 0; c < last.first_candidate + last.candidates; ++c) {
    float total = token_logps[b.candidate_target[c]];
    for (int64_t i = b.candidate_target[c] + 1; i < b.candidate_target[c + 1]; ++i) total = total + token_logps[i];
    logps[c] = settled(total);
  }
}

// dlogps: [C]. What the tape holds is of no use afterwards.
void mdt::fused::MDT_NAME(unlearn)(const model& m, const back_layer* back, const batch& b, int64_t count, const tape& t, const scratch& w,
                                   const float* dlogps, const gradients& to) {
  const shape& dims = m.shape;
  const int64_t d = dims.hidden, s = dims.head_size, width = int64_t{dims.heads} * s, kv = int64_t{dims.kv_heads} * s;
  const record& last = b.records[count - 1];
  const int64_t rows = last.first_row + last.rows, places = last.first_place + last.places, candidates = last.first_candidate + last.candidates;
  const float scale = static_cast<float>(1.0 / __builtin_sqrt(static_cast<double>(s)));
  for (int64_t c = 0; c < candidates; ++c)
    for (int64_t i = b.candidate_target[c]; i < b.candidate_target[c + 1]; ++i) w.token_gradient[i] = dlogps[c];
  predict_back(m, b, places, t, w, to);
  // Through the final norm in place: its gradient is added to nothing.
  copy(w.dx, places * d, w.dnormed);
  clear(places * d, w.dx);
  normalise_back(places, d, t.x, m.final_norm, dims.epsilon, w.dnormed, w.dx, to.final_norm);
  for (int64_t i = dims.layers - 1; i >= 0; --i) {
    const layer& l = m.layers[i];
    const layer_tape& own = t.layers[i];
    const layer_gradients& into_layer = to.layers[i];
    const bool is_last = i == dims.layers - 1;
    const int64_t queries = is_last ? places : rows;
    mlp_back(dims, l, back[i], own, queries, w, into_layer);
    multiply<into>(queries, w.dx, d, back[i].attention_output, w.dattended, width);
    accumulate(queries, d, width, w.dx, d, own.attended, width, into_layer.attention_output, width);
    clear(rows * 2 * kv, w.dkv);
    for (int64_t n = 0; n < count; ++n) {
      const record& r = b.records[n];
      const int64_t at = is_last ? r.first_place : r.first_row;
      attend_back(dims, b, r, is_last ? r.prompt - 1 : 0, own.q + at * width, own.kv + r.first_row * 2 * kv, own.attended + at * width,
                  w.dattended + at * width, w, w.dq + at * width, w.dkv + r.first_row * 2 * kv);
    }
    rotate<true>(queries, dims.heads, s, width, b.cos, b.sin, b.row_position, is_last ? b.place_row : nullptr, scale, w.dq);
    rotate<true>(rows, dims.kv_heads, s, 2 * kv, b.cos, b.sin, b.row_position, nullptr, 1.0f, w.dkv);
    normalise(rows, d, own.x, l.attention_norm, dims.epsilon, w.normed);
    accumulate(rows, kv, d, w.dkv, 2 * kv, w.normed, d, into_layer.key, d);
    accumulate(rows, kv, d, w.dkv + kv, 2 * kv, w.normed, d, into_layer.value, d);
    multiply<into>(rows, w.dkv, 2 * kv, back[i].keys_values, w.dnormed, d);
    if (is_last) {
      // The layers below are asked for all rows, this one only for its places, each of which is a row of its own.
      normalise(places, d, t.at_places, l.attention_norm, dims.epsilon, w.normed);
      accumulate(places, width, d, w.dq, width, w.normed, d, into_layer.query, d);
      multiply<into>(places, w.dq, width, back[i].queries, w.normed, d);
      clear(rows * d, w.dx_all);
      for (int64_t place = 0; place < places; ++place) {
        const int64_t row = b.place_row[place];
        copy(w.dx + place * d, d, w.dx_all + row * d);
        for (int64_t j = 0; j < d; ++j) w.dnormed[row * d + j] = w.dnormed[row * d + j] + w.normed[place * d + j];
      }
      copy(w.dx_all, rows * d, w.dx);
    } else {
      accumulate(rows, width, d, w.dq, width, w.normed, d, into_layer.query, d);
      multiply<plus>(rows, w.dq, width, back[i].queries, w.dnormed, d);
    }
    normalise_back(rows, d, own.x, l.attention_norm, dims.epsilon, w.dnormed, w.dx, into_layer.attention_norm);
  }
  for (int64_t row = 0; row < rows; ++row) {
    float* const at = to.embedding + static_cast<int64_t>(b.row_token[row]) * d;
    for (int64_t j = 0; j < d; ++j) at[j] = at[j] + w.dx[row * d + j];
  }
}
