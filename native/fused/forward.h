// The forward over packs, on the sixteen lanes that lanes_*.h gives. Compiled once for each instruction set, so nothing in here may be an inline
// function that another file could share: no standard library.
//
// Before including it: MDT_NAME(x), the name of x for this instruction set; TILE_ROWS and TILE_PANELS, rows and panels of 16 columns that one tile of a
// matrix product holds in registers.

namespace {

using namespace mdt::fused;

constexpr float infinity = __builtin_inff();
constexpr float greatest = 3.402823466e+38f;

// e^x, to two units in the last place. x = n·ln 2 + r; a polynomial for e^r; 2^n by way of the exponent.
inline lanes16 exponential(lanes16 x) {
  // In this order NaN passes. Beyond these bounds the result is 0 or infinity.
  x = smaller(all(89.0f), larger(all(-104.0f), x));
  const lanes16 shift = all(12582912.0f);
  const lanes16 shifted = fma(x, all(1.44269504088896341f), shift);
  const lanes16 n = sub(shifted, shift);
  // ln 2 in two parts, the first with few enough bits that the product is exact.
  lanes16 r = fma(n, all(-0.693359375f), x);
  r = fma(n, all(2.12194440e-4f), r);
  lanes16 p = all(1.9875691500e-4f);
  p = fma(p, r, all(1.3981999507e-3f));
  p = fma(p, r, all(8.3334519073e-3f));
  p = fma(p, r, all(4.1665795894e-2f));
  p = fma(p, r, all(1.6666665459e-1f));
  p = fma(p, r, all(5.0000001201e-1f));
  p = fma(p, mul(r, r), r);
  p = add(p, all(1.0f));
  return times_power_of_two(p, shifted, n);
}

// ln x in double for x ≥ 0, NaN and infinity included; to a few units of the last place.
double logarithm(double x) {
  if (!(x > 0)) return x == 0 ? -__builtin_inf() : __builtin_nan("");
  if (x > 1.7e308) return x;
  uint64_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  // Sums of exponentials are never subnormal as doubles. x = m·2^e with m from √½ to √2.
  int64_t e = static_cast<int64_t>(bits >> 52) - 1022;
  bits = (bits & 0xFFFFFFFFFFFFFull) | 0x3FE0000000000000ull;
  double m;
  __builtin_memcpy(&m, &bits, sizeof m);
  if (m < 0.70710678118654752440) {
    m = m + m;
    --e;
  }
  // ln m = 2·artanh f.
  const double f = (m - 1) / (m + 1), square = f * f;
  double series = 0;
  for (int i = 21; i >= 1; i -= 2) series = series * square + 1.0 / i;
  return static_cast<double>(e) * 0.69314718055994530942 + 2 * f * series;
}

enum mode { into, onward, plus };

// One tile of C = A·B: every element is one chain over k. into: from 0; onward: from what C holds; plus: from 0, then added to what C holds.
// Across: A lies transposed, an element (i, j) at a + i + j·a_row.
template <int M, int P, mode Mode, bool Across>
void tile(int64_t k, const float* a, int64_t a_row, const float* b, int64_t b_row, int64_t b_panel, float* c, int64_t c_row, int64_t columns) {
  lanes16 sums[M][P];
  const int64_t last = columns - (P - 1) * lanes;
#pragma GCC unroll 16
  for (int i = 0; i < M; ++i)
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
      if (Mode != onward) sums[i][p] = all(0.0f);
      else sums[i][p] = p < P - 1 || last == lanes ? load(c + i * c_row + p * lanes) : load_some(c + i * c_row + p * lanes, last);
    }
  for (int64_t j = 0; j < k; ++j) {
    lanes16 row[P];
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) row[p] = load(b + p * b_panel);
#pragma GCC unroll 16
    for (int i = 0; i < M; ++i) {
      const lanes16 x = all(Across ? a[i] : a[i * a_row]);
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p) sums[i][p] = fma(x, row[p], sums[i][p]);
    }
    b += b_row;
    a += Across ? a_row : 1;
  }
#pragma GCC unroll 16
  for (int i = 0; i < M; ++i)
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
      float* const at = c + i * c_row + p * lanes;
      if (p < P - 1 || last == lanes) {
        store(at, Mode == plus ? add(load(at), sums[i][p]) : sums[i][p]);
      } else {
        store_some(at, last, Mode == plus ? add(load_some(at, last), sums[i][p]) : sums[i][p]);
      }
    }
}

using tile_function = void (*)(int64_t, const float*, int64_t, const float*, int64_t, int64_t, float*, int64_t, int64_t);

template <int M, int P, mode Mode, bool Across>
struct tiles {
  static void fill(tile_function* by_rows) {
    by_rows[M] = tile<M, P, Mode, Across>;
    tiles<M - 1, P, Mode, Across>::fill(by_rows);
  }
};

template <int P, mode Mode, bool Across>
struct tiles<0, P, Mode, Across> {
  static void fill(tile_function*) {}
};

template <int P, mode Mode, bool Across>
struct tile_table {
  tile_function by_rows[TILE_ROWS + 1];
  tile_table() { tiles<TILE_ROWS, P, Mode, Across>::fill(by_rows); }
};

// C [m, n] from A [m, k] and B [k, n]: an element (j, l) of B lies at b + j·b_row + l/16·b_panel + l%16.
template <mode Mode, bool Across = false>
void multiply(int64_t m, int64_t n, int64_t k, const float* a, int64_t a_row, const float* b, int64_t b_row, int64_t b_panel, float* c, int64_t c_row) {
  static const tile_table<TILE_PANELS, Mode, Across> wide;
  static const tile_table<1, Mode, Across> narrow;
  // As many rows at a time as a second-level cache holds beside the panels, in tiles of about the same height.
  int64_t most = 65536 / (k > 0 ? k : 1);
  most = most < TILE_ROWS ? TILE_ROWS : most / TILE_ROWS * TILE_ROWS;
  for (int64_t start = 0; start < m; start += most) {
    const int64_t rows = m - start < most ? m - start : most;
    const int64_t count = (rows + TILE_ROWS - 1) / TILE_ROWS, height = rows / count, higher = rows % count;
    for (int64_t column = 0; column < n;) {
      const bool is_wide = n - column > (TILE_PANELS - 1) * lanes;
      const int64_t width = is_wide ? TILE_PANELS * lanes : lanes, columns = n - column < width ? n - column : width;
      const tile_function* const by_rows = is_wide ? wide.by_rows : narrow.by_rows;
      const float* const panel = b + column / lanes * b_panel;
      int64_t row = start;
      for (int64_t t = 0; t < count; ++t) {
        const int64_t here = height + (t < higher ? 1 : 0);
        by_rows[here](k, Across ? a + row : a + row * a_row, a_row, panel, b_row, b_panel, c + row * c_row + column, c_row, columns);
        row += here;
      }
      column += columns;
    }
  }
}

// C = A·Wᵀ for a packed matrix W.
template <mode Mode>
void multiply(int64_t m, const float* a, int64_t a_row, const panels& w, float* c, int64_t c_row) {
  multiply<Mode>(m, w.n, w.k, a, a_row, w.data, lanes, lanes * w.k, c, c_row);
}

// x / √(mean of squares + ε) · weight, row by row.
void normalise(int64_t rows, int64_t d, const float* x, const float* weight, float epsilon, float* y) {
  for (int64_t row = 0; row < rows; ++row, x += d, y += d) {
    lanes16 squares = all(0.0f);
    for (int64_t i = 0; i < d; i += lanes) {
      const lanes16 part = d - i >= lanes ? load(x + i) : load_some(x + i, d - i);
      squares = fma(part, part, squares);
    }
    const float scale = 1.0f / __builtin_sqrtf(sum(squares) / static_cast<float>(d) + epsilon);
    for (int64_t i = 0; i < d; i += lanes) {
      const int64_t n = d - i;
      if (n >= lanes) store(y + i, mul(mul(load(x + i), all(scale)), load(weight + i)));
      else store_some(y + i, n, mul(mul(load_some(x + i, n), all(scale)), load_some(weight + i, n)));
    }
  }
}

// Turns pairs (i, i + s/2) of every head by its row's position, then multiplies by scale. Back: the turn the other way, which is how gradients pass.
template <bool back>
void rotate(int64_t rows, int64_t heads, int64_t s, int64_t stride, const float* cos, const float* sin, const int32_t* position, const int64_t* of_row,
            float scale, float* x) {
  const int64_t half = s / 2;
  for (int64_t row = 0; row < rows; ++row, x += stride) {
    const int64_t at = position[of_row ? of_row[row] : row];
    const float* const c = cos + at * half;
    const float* const n = sin + at * half;
    for (int64_t head = 0; head < heads; ++head) {
      float* const first = x + head * s;
      float* const second = first + half;
      for (int64_t i = 0; i < half; ++i) {
        const float p = first[i], q = second[i], turn = back ? -n[i] : n[i];
        first[i] = (p * c[i] - q * turn) * scale;
        second[i] = (q * c[i] + p * turn) * scale;
      }
    }
  }
}

// silu(gate)·up: [rows, 2·I] to rows that lie to_row apart; they may be the gate's half.
void gate(int64_t rows, int64_t inner, const float* x, float* to, int64_t to_row) {
  for (int64_t row = 0; row < rows; ++row, x += 2 * inner, to += to_row)
    for (int64_t i = 0; i < inner; i += lanes) {
      const int64_t n = inner - i < lanes ? inner - i : lanes;
      const lanes16 g = n == lanes ? load(x + i) : load_some(x + i, n), up = n == lanes ? load(x + inner + i) : load_some(x + inner + i, n);
      const lanes16 y = mul(div(g, add(all(1.0f), exponential(sub(all(0.0f), g)))), up);
      if (n == lanes) store(to + i, y);
      else store_some(to + i, n, y);
    }
}

// Keys [count, s], a row every stride floats, into panels of 16 keys.
void pack_keys(int64_t count, int64_t s, const float* keys, int64_t stride, float* to) {
  for (int64_t first = 0; first < count; first += lanes, to += s * lanes) {
    const int64_t n = count - first < lanes ? count - first : lanes;
    for (int64_t i = 0; i < s; ++i) {
      for (int64_t j = 0; j < n; ++j) to[i * lanes + j] = keys[(first + j) * stride + i];
      for (int64_t j = n; j < lanes; ++j) to[i * lanes + j] = 0.0f;
    }
  }
}

// The largest of the first n scores; those beyond them in their last vector become −∞.
inline lanes16 largest_of(float* scores, int64_t n, lanes16 most) {
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) most = larger(load(scores + i), most);
  if (i < n) {
    const lanes16 part = keep(load(scores + i), n - i, -infinity);
    store(scores + i, part);
    most = larger(part, most);
  }
  return most;
}

// Exponentials of the first n scores, zeros from there to width; returns their lanes' sums.
inline lanes16 exponentials_of(float* scores, int64_t n, int64_t width, lanes16 most, lanes16 total) {
  int64_t i = 0;
  for (; i < n; i += lanes) {
    const lanes16 e = exponential(sub(load(scores + i), most));
    store(scores + i, e);
    total = add(total, e);
  }
  for (; i < width; i += lanes) store(scores + i, all(0.0f));
  return total;
}

// Scores of one row into weights of a softmax that still lack a factor, which it returns. The row sees n of its first part and own of the second.
float weigh(float* scores, int64_t n, int64_t width, int64_t own, int64_t own_width) {
  const lanes16 most = all(largest(largest_of(scores + width, own, largest_of(scores, n, all(-infinity)))));
  const lanes16 total = exponentials_of(scores, n, width, most, all(0.0f));
  return 1.0f / sum(exponentials_of(scores + width, own, own_width, most, total));
}

void scale_row(float* x, int64_t s, float by) {
  for (int64_t i = 0; i < s; ++i) x[i] = x[i] * by;
}

// Attention of one record, in all heads. Queries of its prompt begin at the row first_query; query and attended rows are counted from there.
void attend(const shape& dims, const batch& b, const record& r, int64_t first_query, const float* q, const float* kv, const workspace& w,
            float* attended) {
  const int64_t s = dims.head_size, width = static_cast<int64_t>(dims.heads) * s, kv_width = int64_t{2} * dims.kv_heads * s;
  const int64_t group = dims.heads / dims.kv_heads;
  const int64_t prompt = r.prompt, padded = round_up(prompt);
  for (int64_t g = 0; g < dims.kv_heads; ++g) {
    const float* const keys = kv + g * s;
    const float* const values = kv + (dims.kv_heads + g) * s;
    pack_keys(prompt, s, keys, kv_width, w.keys);
    float* to = w.keys + padded * s;
    for (int64_t i = 0; i < r.segments; ++i) {
      const segment& part = b.segments[r.first_segment + i];
      pack_keys(part.count, s, keys + part.first * kv_width, kv_width, to);
      to += round_up(part.count) * s;
    }
    for (int64_t h = g * group; h < (g + 1) * group; ++h) {
      for (int64_t start = first_query; start < prompt; start += query_tile) {
        const int64_t end = start + query_tile < prompt ? start + query_tile : prompt, visible = round_up(end);
        float* const out = attended + (start - first_query) * width + h * s;
        float factor[query_tile];
        multiply<into>(end - start, visible, s, q + (start - first_query) * width + h * s, width, w.keys, lanes, lanes * s, w.scores, visible);
        for (int64_t i = start; i < end; ++i) factor[i - start] = weigh(w.scores + (i - start) * visible, i + 1, visible, 0, 0);
        multiply<into>(end - start, s, end, w.scores, visible, values, kv_width, lanes, out, width);
        for (int64_t i = start; i < end; ++i) scale_row(out + (i - start) * width, s, factor[i - start]);
      }
      const float* own_keys = w.keys + padded * s;
      for (int64_t n = 0; n < r.segments; ++n) {
        const segment& part = b.segments[r.first_segment + n];
        const int64_t own_padded = round_up(part.count), visible = padded + own_padded;
        for (int64_t start = 0; start < part.count; start += query_tile) {
          const int64_t end = start + query_tile < part.count ? start + query_tile : part.count, row = part.first + start - first_query;
          float* const out = attended + row * width + h * s;
          float factor[query_tile];
          multiply<into>(end - start, padded, s, q + row * width + h * s, width, w.keys, lanes, lanes * s, w.scores, visible);
          multiply<into>(end - start, own_padded, s, q + row * width + h * s, width, own_keys, lanes, lanes * s, w.scores + padded, visible);
          for (int64_t i = start; i < end; ++i) factor[i - start] = weigh(w.scores + (i - start) * visible, prompt, padded, i + 1, own_padded);
          multiply<into>(end - start, s, prompt, w.scores, visible, values, kv_width, lanes, out, width);
          multiply<onward>(end - start, s, end, w.scores + padded, visible, values + part.first * kv_width, kv_width, lanes, out, width);
          for (int64_t i = start; i < end; ++i) scale_row(out + (i - start) * width, s, factor[i - start]);
        }
        own_keys += own_padded * s;
      }
    }
  }
}

// x += down(silu(gate(norm x))·up(norm x)), some rows at a time.
void mlp(const shape& dims, const layer& l, int64_t rows, float* x, const workspace& w) {
  const int64_t d = dims.hidden, inner = dims.intermediate;
  for (int64_t start = 0; start < rows; start += mlp_rows) {
    const int64_t n = rows - start < mlp_rows ? rows - start : mlp_rows;
    normalise(n, d, x + start * d, l.mlp_norm, dims.epsilon, w.normed);
    multiply<into>(n, w.normed, d, l.gate_up, w.inner, 2 * inner);
    gate(n, inner, w.inner, w.inner, 2 * inner);
    multiply<plus>(n, w.inner, 2 * inner, l.down, x + start * d, d);
  }
}

void copy(const float* from, int64_t count, float* to) {
  for (int64_t i = 0; i < count; ++i) to[i] = from[i];
}

// The last hidden states at the places of some records, after the final norm, into w.at_places.
void hidden(const model& m, const batch& b, const record* records, int64_t count, const workspace& w) {
  const shape& dims = m.shape;
  const int64_t d = dims.hidden, s = dims.head_size, width = static_cast<int64_t>(dims.heads) * s, kv = static_cast<int64_t>(dims.kv_heads) * s;
  const record& first = records[0];
  const record& last = records[count - 1];
  const int64_t rows = last.first_row + last.rows - first.first_row, places = last.first_place + last.places - first.first_place;
  const int32_t* const position = b.row_position + first.first_row;
  const float scale = static_cast<float>(1.0 / __builtin_sqrt(static_cast<double>(s)));
  float* x = w.x;
  for (int64_t row = 0; row < rows; ++row) copy(m.embedding + static_cast<int64_t>(b.row_token[first.first_row + row]) * d, d, x + row * d);
  for (int64_t i = 0; i < dims.layers; ++i) {
    const layer& l = m.layers[i];
    const bool is_last = i == dims.layers - 1;
    normalise(rows, d, x, l.attention_norm, dims.epsilon, w.normed);
    multiply<into>(rows, w.normed, d, l.keys_values, w.kv, 2 * kv);
    rotate<false>(rows, dims.kv_heads, s, 2 * kv, b.cos, b.sin, position, nullptr, 1.0f, w.kv);
    if (is_last) {
      // Nothing but its places is asked of the last layer.
      for (int64_t place = 0; place < places; ++place)
        copy(x + (b.place_row[first.first_place + place] - first.first_row) * d, d, w.at_places + place * d);
      x = w.at_places;
      normalise(places, d, x, l.attention_norm, dims.epsilon, w.normed);
    }
    const int64_t queries = is_last ? places : rows;
    multiply<into>(queries, w.normed, d, l.queries, w.q, width);
    if (is_last) rotate<false>(places, dims.heads, s, width, b.cos, b.sin, b.row_position, b.place_row + first.first_place, scale, w.q);
    else rotate<false>(rows, dims.heads, s, width, b.cos, b.sin, position, nullptr, scale, w.q);
    for (int64_t n = 0; n < count; ++n) {
      const record& r = records[n];
      const int64_t at = is_last ? r.first_place - first.first_place : r.first_row - first.first_row;
      attend(dims, b, r, is_last ? r.prompt - 1 : 0, w.q + at * width, w.kv + (r.first_row - first.first_row) * 2 * kv, w, w.attended + at * width);
    }
    multiply<plus>(queries, w.attended, width, l.attention_output, x, d);
    mlp(dims, l, queries, x, w);
  }
  normalise(places, d, x, m.final_norm, dims.epsilon, w.at_places);
}

// ln Σ e^x over a row of logits.
float log_sum(const float* logits, int64_t count) {
  lanes16 most = all(-greatest);
  for (int64_t i = 0; i < count; i += lanes) most = larger(keep(load(logits + i), count - i, -infinity), most);
  // Bounded, so that an infinite logit gives infinity and not ∞ − ∞.
  float top = largest(most);
  top = top > greatest ? greatest : top;
  // In two steps, so that a large vocabulary does not add tens of thousands of numbers one by one.
  constexpr int64_t part = 64 * lanes;
  lanes16 total = all(0.0f);
  for (int64_t start = 0; start < count; start += part) {
    const int64_t end = start + part < count ? start + part : count;
    lanes16 within = all(0.0f);
    for (int64_t i = start; i < end; i += lanes) within = add(within, exponential(sub(keep(load(logits + i), count - i, -infinity), all(top))));
    total = add(total, within);
  }
  return static_cast<float>(static_cast<double>(top) + logarithm(sum(total)));
}

// Whichever NaN it is, it becomes this one: which of two comes out of an operation is the machine's choice.
float settled(float x) { return x == x ? x : __builtin_nanf(""); }

// E_π[W] at some places, from their logits, which become probabilities: [rows, d].
void expect(const model& m, int64_t rows, int64_t stride, const workspace& w) {
  const int64_t d = m.shape.hidden, vocabulary = m.shape.vocabulary;
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t i = 0; i < vocabulary; i += lanes) {
      float* const at = w.logits + row * stride + i;
      store(at, exponential(sub(load(at), all(w.normaliser[row]))));
    }
  for (int64_t i = 0; i < rows * d; ++i) w.expected[i] = 0.0f;
  // Rows of W that a second-level cache holds.
  constexpr int64_t part = 256;
  for (int64_t start = 0; start < vocabulary; start += part) {
    const int64_t n = vocabulary - start < part ? vocabulary - start : part;
    multiply<onward>(rows, d, n, w.logits + start, stride, m.output_rows + start * m.output_stride, m.output_stride, lanes, w.expected, d);
  }
}

// log π of the response tokens that some places predict; into the features of their candidates −E_π[W] of each place that is a candidate's own.
void predict(const model& m, const batch& b, const record* records, int64_t count, const workspace& w, const outputs& out) {
  const int64_t d = m.shape.hidden, vocabulary = m.shape.vocabulary, stride = round_up(vocabulary), most = logit_rows(vocabulary);
  const int64_t first = records[0].first_place, places = records[count - 1].first_place + records[count - 1].places - first;
  int64_t r = 0;
  for (int64_t start = 0; start < places; start += most) {
    const int64_t rows = places - start < most ? places - start : most;
    multiply<into>(rows, w.at_places + start * d, d, m.output, w.logits, stride);
    for (int64_t row = 0; row < rows; ++row) {
      const float* const logits = w.logits + row * stride;
      const float normaliser = log_sum(logits, vocabulary);
      w.normaliser[row] = normaliser;
      const int64_t place = first + start + row;
      for (int64_t t = b.place_target[place]; t < b.place_target[place + 1]; ++t)
        out.token_logps[b.target_number[t]] = logits[b.target_token[t]] - normaliser;
    }
    if (out.features == nullptr || !b.several_tokens) continue;
    expect(m, rows, stride, w);
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t place = first + start + row;
      while (place >= records[r].first_place + records[r].places) ++r;
      // A prompt's last place is shared by all candidates: it would drop out of their differences.
      if (place == records[r].first_place) continue;
      // Any other place predicts one token of one candidate.
      const int32_t number = b.target_number[b.place_target[place]];
      int64_t low = records[r].first_candidate, high = low + records[r].candidates;
      while (high - low > 1) {
        const int64_t middle = (low + high) / 2;
        (b.candidate_target[middle] <= number ? low : high) = middle;
      }
      float* const to = out.features + low * d;
      const float* const expected = w.expected + row * d;
      for (int64_t i = 0; i < d; ++i) to[i] = to[i] - expected[i];
    }
  }
}

}  // namespace

void mdt::fused::MDT_NAME(score)(const model& m, const batch& b, int64_t first, int64_t count, const workspace& w, const outputs& out) {
  const int64_t d = m.shape.hidden;
  const record* const records = b.records + first;
  const int64_t begin = records[0].first_candidate, end = records[count - 1].first_candidate + records[count - 1].candidates;
  if (out.features != nullptr)
    for (int64_t c = begin; c < end; ++c) {
      float* const to = out.features + c * d;
      for (int64_t t = b.candidate_target[c]; t < b.candidate_target[c + 1]; ++t) {
        const float* const row = m.output_rows + static_cast<int64_t>(b.token[t]) * m.output_stride;
        if (t == b.candidate_target[c]) copy(row, d, to);
        else for (int64_t i = 0; i < d; ++i) to[i] = to[i] + row[i];
      }
    }
  hidden(m, b, records, count, w);
  predict(m, b, records, count, w, out);
  for (int64_t c = begin; c < end; ++c) {
    float total = out.token_logps[b.candidate_target[c]];
    for (int64_t t = b.candidate_target[c] + 1; t < b.candidate_target[c + 1]; ++t) total = total + out.token_logps[t];
    out.logps[c] = settled(total);
  }
  if (out.features != nullptr)
    for (int64_t i = begin * d; i < end * d; ++i) out.features[i] = settled(out.features[i]);
}

void mdt::fused::MDT_NAME(exp)(const float* x, float* y, int64_t count) {
  for (int64_t i = 0; i < count; i += lanes) {
    const int64_t n = count - i < lanes ? count - i : lanes;
    store_some(y + i, n, exponential(load_some(x + i, n)));
  }
}

void mdt::fused::MDT_NAME(gemm)(int64_t m, const float* a, const panels& b, float* c) {
  multiply<into>(m, a, b.k, b, c, b.n);
}
