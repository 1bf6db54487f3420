#include <fmt/format.h>

#include "commands.hpp"
#include "greekgrid/kernels/backend.hpp"
#include "output.hpp"

namespace greekgrid::cli {

Command add_devices(CLI::App& app) {
  app.add_subcommand("devices", "List the backends with what they run on, or why they cannot run here");
  return [] {
    std::vector<std::vector<std::string>> rows = {{"backend", "usable", "detail"}};
    for (const auto& backend :
         {make_cuda_backend(Precision::kFp32), make_cpu_backend(Precision::kFp32), make_reference_backend()}) {
      const BackendStatus status = backend->status();
      rows.push_back({std::string(status.name), status.usable ? "yes" : "no", status.detail});
    }
    print(format_table(rows, 3));
    return kDone;
  };
}

}  // namespace greekgrid::cli
