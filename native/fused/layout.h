// Pools laid out as packs.
#pragma once

#include "engine.h"

#include <cstdint>
#include <vector>

namespace mdt {
namespace fused {

// Pools as they come: prompt lengths [N], candidates [N], response lengths [C], and all token ids, each pool's prompt before its responses.
struct pools {
  const int32_t* prompt;
  const int32_t* candidates;
  const int32_t* response;
  const int32_t* tokens;
  int64_t token_count;
  int32_t count;
  const float* cos;
  const float* sin;
};

// The arrays behind a batch.
class layout {
 public:
  // Throws where a length is none, a token is outside the vocabulary or a sequence is longer than the policy's.
  layout(const pools& given, const shape& dims);

  // Divides the records into groups that are scored one by one or side by side; no result depends on how.
  void divide(int64_t threads);

  int64_t count() const { return static_cast<int64_t>(records.size()); }
  // Of all records together.
  extent whole() const {
    extent all = most;
    all.rows = static_cast<int64_t>(row_token.size());
    all.places = static_cast<int64_t>(place_row.size());
    return all;
  }
  int64_t groups() const { return static_cast<int64_t>(starts.size()) - 1; }
  int64_t start_of(int64_t group) const { return starts[static_cast<size_t>(group)]; }
  int64_t tokens() const { return static_cast<int64_t>(token.size()); }
  bool has_several_tokens() const { return several_tokens; }
  // Of the largest group.
  const extent& most_of_group() const { return most; }
  // Valid as long as this.
  batch view(const pools& given) const;

 private:
  void add(int32_t n, int32_t prompt, int32_t candidates, const int32_t* response, const int32_t*& tokens, const int32_t* end, const shape& dims);
  void put_row(int32_t id, int32_t position);
  void put_target(int32_t number);

  std::vector<record> records;
  std::vector<segment> segments;
  std::vector<int32_t> row_token, row_position, target_token, target_number, candidate_target{0}, token;
  std::vector<int64_t> place_row, place_target{0};
  std::vector<int64_t> starts{0};
  bool several_tokens = false;
  extent most{};
};

}  // namespace fused
}  // namespace mdt
