#include "launch.cuh"
#include "wall_launch.hpp"

namespace greekgrid::cuda {
namespace {

template <WallRule kRule>
void launch(const WallTables& tables, std::uint32_t blocks, std::uint32_t threads, cudaStream_t stream) {
  run<WallBody<kRule>, 256, 2><<<blocks, threads, 0, stream>>>(WallBody<kRule>{tables});
}

}  // namespace

void launch_walls(WallRule rule, const WallTables& tables, std::uint32_t blocks, std::uint32_t threads,
                  cudaStream_t stream) {
  switch (rule) {
    case WallRule::kFixed:
      return launch<WallRule::kFixed>(tables, blocks, threads, stream);
    case WallRule::kRelativeBeta:
      return launch<WallRule::kRelativeBeta>(tables, blocks, threads, stream);
    case WallRule::kSkewStickiness:
      return launch<WallRule::kSkewStickiness>(tables, blocks, threads, stream);
  }
}

}  // namespace greekgrid::cuda
