#include "layout.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace mdt {
namespace fused {

namespace {

int32_t next(int32_t n, const int32_t*& tokens, const int32_t* end, const shape& dims) {
  if (tokens == end) throw std::invalid_argument("there are fewer token ids than the lengths say");
  const int32_t id = *tokens++;
  if (id < 0 || id >= dims.vocabulary)
    throw std::out_of_range("token " + std::to_string(id) + " of pool " + std::to_string(n) + " is outside the vocabulary of " +
                            std::to_string(dims.vocabulary));
  return id;
}

}  // namespace

layout::layout(const pools& given, const shape& dims) {
  const int32_t* response = given.response;
  const int32_t* tokens = given.tokens;
  const int32_t* const end = given.tokens + given.token_count;
  for (int32_t n = 0; n < given.count; ++n) {
    add(n, given.prompt[n], given.candidates[n], response, tokens, end, dims);
    response += given.candidates[n];
  }
  if (tokens != end) throw std::invalid_argument("token ids are left over");
}

void layout::divide(int64_t threads) {
  const int64_t rows = static_cast<int64_t>(row_token.size()), bound = std::min(group_rows, (rows + threads - 1) / threads);
  extent group{};
  for (size_t n = 0; n < records.size(); ++n) {
    const record& r = records[n];
    if (group.rows > 0 && group.rows + r.rows > bound) {
      starts.push_back(static_cast<int64_t>(n));
      group = {};
    }
    group.rows += r.rows;
    group.places += r.places;
    most.rows = std::max(most.rows, group.rows);
    most.places = std::max(most.places, group.places);
  }
  if (!records.empty()) starts.push_back(static_cast<int64_t>(records.size()));
}

batch layout::view(const pools& given) const {
  return {records.data(), segments.data(), row_token.data(), row_position.data(), place_row.data(),
          place_target.data(), target_token.data(), target_number.data(), candidate_target.data(), token.data(),
          several_tokens, given.cos, given.sin};
}

void layout::add(int32_t n, int32_t prompt, int32_t candidates, const int32_t* response, const int32_t*& tokens, const int32_t* end,
                 const shape& dims) {
  if (prompt < 1 || candidates < 1) throw std::invalid_argument("pool " + std::to_string(n) + " has no prompt or no candidate");
  record r{};
  r.first_row = static_cast<int64_t>(row_token.size());
  r.prompt = prompt;
  r.first_segment = static_cast<int64_t>(segments.size());
  r.first_place = static_cast<int64_t>(place_row.size());
  int64_t keys = round_up(prompt);
  for (int32_t i = 0; i < prompt; ++i) put_row(next(n, tokens, end, dims), i);
  // The prompt's last row predicts every response's first token.
  place_row.push_back(r.first_row + prompt - 1);
  std::vector<int32_t> first_tokens;
  const size_t first_candidate = candidate_target.size() - 1;
  for (int32_t c = 0; c < candidates; ++c) {
    const int32_t length = response[c];
    if (length < 1) throw std::invalid_argument("pool " + std::to_string(n) + " has an empty response");
    const int64_t sequence = prompt + int64_t{length} - 1;
    if (sequence > dims.positions)
      throw std::out_of_range("pool " + std::to_string(n) + " has a sequence of " + std::to_string(sequence) + " places, the policy has " +
                              std::to_string(dims.positions));
    first_tokens.push_back(static_cast<int32_t>(token.size()));
    if (length > 1) {
      several_tokens = true;
      segments.push_back({static_cast<int64_t>(row_token.size()) - r.first_row, length - 1});
      keys += round_up(length - 1);
      most.segment = std::max<int64_t>(most.segment, length - 1);
    }
    for (int32_t i = 0; i < length; ++i) {
      const int32_t id = next(n, tokens, end, dims);
      token.push_back(id);
      // The last token predicts nothing, so it needs no row.
      if (i < length - 1) put_row(id, prompt + i);
    }
    candidate_target.push_back(static_cast<int32_t>(token.size()));
  }
  r.rows = static_cast<int64_t>(row_token.size()) - r.first_row;
  r.segments = static_cast<int64_t>(segments.size()) - r.first_segment;
  for (int32_t number : first_tokens) put_target(number);
  place_target.push_back(static_cast<int64_t>(target_token.size()));
  // Then each row of a segment predicts its response's next token.
  int64_t row = r.first_row + prompt;
  for (size_t c = first_candidate; c + 1 < candidate_target.size(); ++c) {
    for (int32_t number = candidate_target[c] + 1; number < candidate_target[c + 1]; ++number) {
      place_row.push_back(row++);
      put_target(number);
      place_target.push_back(static_cast<int64_t>(target_token.size()));
    }
  }
  r.places = static_cast<int64_t>(place_row.size()) - r.first_place;
  r.first_candidate = static_cast<int64_t>(first_candidate);
  r.candidates = candidates;
  most.prompt = std::max<int64_t>(most.prompt, prompt);
  most.record_keys = std::max(most.record_keys, keys);
  records.push_back(r);
}

void layout::put_row(int32_t id, int32_t position) {
  row_token.push_back(id);
  row_position.push_back(position);
}

void layout::put_target(int32_t number) {
  target_token.push_back(token[static_cast<size_t>(number)]);
  target_number.push_back(number);
}

}  // namespace fused
}  // namespace mdt
