// A Llama forward over packs on the CPU in float32 whose numbers do not depend on what is computed together.
//
// Every number comes from a fixed chain of operations: an element of a matrix product is one sequence of fused multiply-adds over the inner index,
// which is never split; a sum over a row goes to 16 lanes, whatever the width of the machine's registers, and a fixed tree joins them; the exponential
// is our own. So neither the neighbours in the batch nor tile shapes nor the instruction set can change a bit. forward.h is compiled once for each
// instruction set, without contraction of a·b+c: what is fused is written as such.
//
// Legend of shapes: T rows (tokens that are computed), U places (rows that predict response tokens), d hidden size, I inner size of the MLP, H heads,
// G key/value heads, s head size, V vocabulary.
#pragma once

#include <cstdint>

namespace mdt {
namespace fused {

constexpr int64_t lanes = 16;

inline int64_t round_up(int64_t n) { return (n + lanes - 1) / lanes * lanes; }

struct shape {
  int32_t hidden;
  int32_t intermediate;
  int32_t layers;
  int32_t heads;
  int32_t kv_heads;
  int32_t head_size;
  int32_t vocabulary;
  int32_t positions;
  float epsilon;
};

// A matrix of n outputs by k inputs in panels of 16 outputs: [n/16 rounded up][k][16], zeros beyond n.
struct panels {
  const float* data;
  int64_t n;
  int64_t k;
};

struct layer {
  const float* attention_norm;  // [d]
  panels queries;               // [H·s, d]
  panels keys_values;           // [2·G·s, d]
  panels attention_output;      // [d, H·s]
  const float* mlp_norm;        // [d]
  panels gate_up;               // [2·I, d]
  panels down;                  // [d, I]
};

// Norms, embedding and, where d is a multiple of 16, the rows of the output matrix stay the policy's own memory.
struct model {
  fused::shape shape;
  const float* embedding;    // [V, d]
  const float* final_norm;   // [d]
  panels output;             // [V, d]
  const float* output_rows;  // [V, output_stride]
  int64_t output_stride;     // d rounded up to 16
  const layer* layers;
};

// A response's rows: its tokens but the last one.
struct segment {
  int64_t first;
  int64_t count;
};

// One pool. Its rows are its prompt's and then its segments', its places the prompt's last row and then all rows of its segments.
struct record {
  int64_t first_row;
  int64_t prompt;
  int64_t rows;
  int64_t first_segment;
  int64_t segments;
  int64_t first_place;
  int64_t places;
  int64_t first_candidate;
  int64_t candidates;
};

struct batch {
  const record* records;
  const segment* segments;
  const int32_t* row_token;         // [T]
  const int32_t* row_position;      // [T]
  const int64_t* place_row;         // [U] which row it is
  const int64_t* place_target;      // [U+1] where its response tokens begin among the targets
  const int32_t* target_token;      // by place
  const int32_t* target_number;     // by place: which response token of the batch, in the order in which candidates have them
  const int32_t* candidate_target;  // [C+1] where each candidate's response tokens begin, in that order
  const int32_t* token;             // [tokens], in that order
  bool several_tokens;  // whether any response has more than one
  const float* cos;     // [positions, s/2]
  const float* sin;
};

// How much of everything one group of records needs.
struct extent {
  int64_t rows;
  int64_t places;
  int64_t prompt;       // longest prompt
  int64_t segment;      // longest segment
  int64_t record_keys;  // most keys of a record, each segment and the prompt rounded up to 16
};

// Memory of one group, all in floats.
struct workspace {
  float* x;           // [T, d]
  float* normed;      // [T, d]
  float* kv;          // [T, 2·G·s] and 16 more, since a last head is read to the end of a vector
  float* q;           // [T, H·s]
  float* attended;    // [T, H·s]
  float* at_places;   // [U, d]
  float* inner;       // [mlp_rows, 2·I]
  float* keys;        // [record_keys, s] in panels
  float* scores;      // [query_tile, prompt and segment, each rounded up to 16]
  float* logits;      // [logit_rows, V rounded up to 16]
  float* expected;    // [logit_rows, d]
  float* normaliser;  // [logit_rows]
};

// Rows that go through the MLP together, queries of a prompt that meet its keys together.
constexpr int64_t mlp_rows = 96;
constexpr int64_t query_tile = 32;
// Most rows of a group of records, unless one record has more.
constexpr int64_t group_rows = 512;

// Places whose logits exist at one time: 64 MiB of them, but at least 12 and at most 96.
inline int64_t logit_rows(int64_t vocabulary) {
  const int64_t fit = (int64_t{1} << 24) / round_up(vocabulary);
  return fit < 12 ? 12 : fit > 96 ? 96 : fit;
}

// Where results go; a group writes those of its own candidates alone.
struct outputs {
  float* token_logps;  // [tokens], in the order of candidates
  float* logps;        // [C]
  float* features;     // [C, d] or null
};

// Scores a group: count records from the first.

void score_plain(const model& m, const batch& b, int64_t first, int64_t count, const workspace& w, const outputs& out);
void exp_plain(const float* x, float* y, int64_t count);
void gemm_plain(int64_t m, const float* a, const panels& b, float* c);
#if defined(__x86_64__)
void score_avx2(const model& m, const batch& b, int64_t first, int64_t count, const workspace& w, const outputs& out);
void exp_avx2(const float* x, float* y, int64_t count);
void gemm_avx2(int64_t m, const float* a, const panels& b, float* c);
void score_avx512(const model& m, const batch& b, int64_t first, int64_t count, const workspace& w, const outputs& out);
void exp_avx512(const float* x, float* y, int64_t count);
void gemm_avx512(int64_t m, const float* a, const panels& b, float* c);
#endif

}  // namespace fused
}  // namespace mdt
