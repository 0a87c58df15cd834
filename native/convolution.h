// Convolution through oneDNN.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>

#include "kernels.h"

namespace fcaenet {

// Scratch memory of oneDNN for one call. It grows to the largest request and is reused.
class Workspace {
 public:
  Workspace() = default;
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  ~Workspace();
  void* atLeast(std::size_t bytes);
  std::size_t bytes() const { return bytes_; }

 private:
  void* memory_ = nullptr;
  std::size_t bytes_ = 0;
};

enum class Direction : int { forward = 0, input = 1, filter = 2 };

// Activations NHWC, filters HWIO. One instance belongs to one thread.
class Convolutions {
 public:
  Convolutions();
  ~Convolutions();
  void forward(const Geometry& geometry, const float* x, const float* filter, float* y);
  void input(const Geometry& geometry, const float* dy, const float* filter, float* dx);
  void filter(const Geometry& geometry, const float* x, const float* dy, float* dFilter);
  std::size_t workspaceBytes() const { return scratch_.bytes() + weights_.bytes(); }
  std::size_t primitives() const { return cache_.size(); }

 private:
  struct Plan;
  using Key = std::array<int, 14>;
  struct KeyHash {
    std::size_t operator()(const Key& key) const;
  };
  Plan& plan(const Geometry& geometry, Direction direction);

  dnnl::engine engine_;
  dnnl::stream stream_;
  std::unordered_map<Key, std::unique_ptr<Plan>, KeyHash> cache_;
  Workspace scratch_;
  Workspace weights_;
};

}  // namespace fcaenet
