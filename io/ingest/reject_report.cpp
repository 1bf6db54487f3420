#include "greekgrid/io/ingest.hpp"
#include "greekgrid/io/publish.hpp"

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

}  // namespace greekgrid
