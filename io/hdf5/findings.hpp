#pragma once

/// @file
/// What a verification has looked at and found. Private to io/hdf5.

#include <algorithm>
#include <string>
#include <vector>

#include "greekgrid/io/verify.hpp"
#include "table.hpp"

namespace greekgrid::h5 {

/// Counts statements by check and keeps why the first ones of each do not hold.
class Findings {
 public:
  static constexpr std::size_t kShown = 10;

  /// Statements that hold.
  void count(const std::string& check, std::int64_t statements = 1) { of(check).count += statements; }
  /// One that does not.
  void fail(const std::string& check, const std::string& what) {
    VerifyCheck& found = of(check);
    ++found.count;
    ++found.failures;
    if (found.shown.size() < kShown) found.shown.push_back(what);
  }
  /// @param text makes the message; called only where the statement does not hold
  template <class Text>
  bool require(const std::string& check, bool holds, Text text) {
    if (holds) {
      count(check);
    } else {
      fail(check, text());
    }
    return holds;
  }
  void note(const std::string& text) {
    constexpr std::size_t kMostNotes = 100;
    if (notes.size() < kMostNotes) notes.push_back(text);
  }
  /// Adds what another process found.
  void merge(const Findings& other) {
    for (const VerifyCheck& from : other.checks) {
      VerifyCheck& to = of(from.name);
      to.count += from.count;
      to.failures += from.failures;
      for (const std::string& text : from.shown) {
        if (to.shown.size() < kShown) to.shown.push_back(text);
      }
    }
    for (const std::string& text : other.notes) note(text);
  }

  std::vector<VerifyCheck> checks;
  std::vector<std::string> notes;

 private:
  VerifyCheck& of(const std::string& check) {
    if (last_ < checks.size() && checks[last_].name == check) return checks[last_];
    const auto found =
        std::find_if(checks.begin(), checks.end(), [&](const VerifyCheck& one) { return one.name == check; });
    last_ = static_cast<std::size_t>(found - checks.begin());
    if (found == checks.end()) checks.push_back({check, 0, 0, {}});
    return checks[last_];
  }

  std::size_t last_ = 0;
};

/// A text of a foreign file as one printable line of UTF-8.
inline std::string printable(std::string text) {
  constexpr std::size_t kLongest = 500;
  if (text.size() > kLongest) text.resize(kLongest);
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return as_utf8(text);
}

/// Hands findings over to another process, and takes them over. Texts come from a foreign file: what is not printable
/// is replaced.
template <class Archive>
void put_findings(Archive& archive, const Findings& findings) {
  std::vector<std::string> names, texts;
  std::vector<std::int64_t> counts;
  for (const VerifyCheck& check : findings.checks) {
    names.push_back(check.name);
    counts.insert(counts.end(), {check.count, check.failures, static_cast<std::int64_t>(check.shown.size())});
    texts.insert(texts.end(), check.shown.begin(), check.shown.end());
  }
  archive(names, counts, texts, findings.notes);
}
template <class Archive>
Findings take_findings(Archive& archive) {
  std::vector<std::string> names, texts, notes;
  std::vector<std::int64_t> counts;
  archive(names, counts, texts, notes);
  Findings found;
  if (counts.size() != 3 * names.size()) throw Error("findings are incomplete");
  std::size_t at = 0;
  for (std::size_t k = 0; k < names.size(); ++k) {
    VerifyCheck check{printable(names[k]), counts[3 * k], counts[3 * k + 1], {}};
    for (std::int64_t i = 0; i < counts[3 * k + 2] && at < texts.size(); ++i) {
      check.shown.push_back(printable(texts[at++]));
    }
    if (check.count < 0 || check.failures < 0) throw Error("findings are negative");
    found.checks.push_back(std::move(check));
  }
  for (const std::string& note : notes) found.note(printable(note));
  return found;
}

}  // namespace greekgrid::h5
