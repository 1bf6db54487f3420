#include <filesystem>
#include <fstream>
#include <string_view>
#include <vector>

#include "greekgrid/io/ingest.hpp"
#include "greekgrid/io/publish.hpp"
#include "text_scan.hpp"

namespace greekgrid {
namespace {

void append_field(std::string& text, std::string_view field) {
  if (field.find_first_of(",\"\r\n") == std::string_view::npos) {
    text += field;
    return;
  }
  text += '"';
  for (const char c : field) {
    if (c == '"') text += '"';
    text += c;
  }
  text += '"';
}

}  // namespace

void write_reject_report(const Diagnostics& rejects, const std::filesystem::path& target) {
  std::string text = "file,row,ticker,field,rule,value\n";
  for (const Diagnostic& reject : rejects) {
    append_field(text, reject.file);
    text += ',';
    text += std::to_string(reject.row);
    for (const std::string* field : {&reject.ticker, &reject.field, &reject.rule, &reject.value}) {
      text += ',';
      append_field(text, *field);
    }
    text += '\n';
  }
  publish_text(target, text);
}

std::map<std::string, std::size_t> count_reject_report(const std::filesystem::path& path) {
  constexpr std::size_t kRule = 4;  // file,row,ticker,field,rule,value
  std::map<std::string, std::size_t> rules;
  // What lies beside a file may be anything: a pipe is not waited for, and a line has a limit.
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return rules;
  std::ifstream report(path);
  std::vector<std::string_view> fields;
  std::string unquoted;
  std::vector<char> line_of(ingest_detail::kLineLimit + 1);
  report.getline(line_of.data(), static_cast<std::streamsize>(line_of.size()));
  while (report.getline(line_of.data(), static_cast<std::streamsize>(line_of.size()))) {
    const std::string_view line(line_of.data());
    // A value holds no line end: control characters are replaced before it is reported.
    if (ingest_detail::split_fields(line, fields, unquoted) && fields.size() > kRule)
      ++rules[std::string(fields[kRule])];
  }
  return rules;
}

}  // namespace greekgrid
