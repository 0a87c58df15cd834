#include "convolution.h"

#include <cstdlib>
#include <new>

namespace fcaenet {

namespace {

// A training run has tens of geometries. The bound limits the cache when there are many unusual shapes.
constexpr std::size_t largestCache = 1024;

int paddingAfter(int in, int out, int kernel, int stride, int before) {
  const int needed = (out - 1) * stride + kernel - in - before;
  return needed > 0 ? needed : 0;
}

}  // namespace

Workspace::~Workspace() { std::free(memory_); }

void* Workspace::atLeast(std::size_t bytes) {
  if (bytes > bytes_) {
    std::free(memory_);
    bytes_ = 0;
    const std::size_t rounded = (bytes + 4095) / 4096 * 4096;
    memory_ = std::aligned_alloc(4096, rounded);
    if (memory_ == nullptr) throw std::bad_alloc();
    bytes_ = rounded;
  }
  return memory_;
}

// A prepared primitive with its memory objects. Calls change only the pointers.
struct Convolutions::Plan {
  dnnl::primitive primitive;
  dnnl::reorder reorder;
  dnnl::memory source, destination, filter, inner, scratch;
  std::unordered_map<int, dnnl::memory> arguments, reorderArguments;
};

Convolutions::Convolutions() : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {}
Convolutions::~Convolutions() = default;

std::size_t Convolutions::KeyHash::operator()(const Key& key) const {
  std::size_t hash = 1469598103934665603u;
  for (int value : key) hash = (hash ^ static_cast<std::size_t>(value)) * 1099511628211u;
  return hash;
}

Convolutions::Plan& Convolutions::plan(const Geometry& g, Direction direction) {
  const Key key = {static_cast<int>(direction), g.batch,       g.inHeight,    g.inWidth,      g.inChannels,
                   g.outHeight,                 g.outWidth,    g.outChannels, g.kernelHeight, g.kernelWidth,
                   g.strideHeight,              g.strideWidth, g.padTop,      g.padLeft};
  const auto found = cache_.find(key);
  if (found != cache_.end()) return *found->second;

  using dnnl::memory;
  const auto type = memory::data_type::f32;
  const memory::desc source({g.batch, g.inChannels, g.inHeight, g.inWidth}, type, memory::format_tag::nhwc);
  const memory::desc destination({g.batch, g.outChannels, g.outHeight, g.outWidth}, type, memory::format_tag::nhwc);
  const memory::dims filterSizes = {g.outChannels, g.inChannels, g.kernelHeight, g.kernelWidth};
  const memory::desc anyFilter(filterSizes, type, memory::format_tag::any);
  const memory::desc plainFilter(filterSizes, type, memory::format_tag::hwio);
  const memory::dims strides = {g.strideHeight, g.strideWidth};
  const memory::dims before = {g.padTop, g.padLeft};
  const memory::dims after = {paddingAfter(g.inHeight, g.outHeight, g.kernelHeight, g.strideHeight, g.padTop),
                              paddingAfter(g.inWidth, g.outWidth, g.kernelWidth, g.strideWidth, g.padLeft)};
  const auto algorithm = dnnl::algorithm::convolution_direct;
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);

  auto made = std::make_unique<Plan>();
  const dnnl::convolution_forward::primitive_desc forward(
      {dnnl::prop_kind::forward_training, algorithm, source, anyFilter, destination, strides, before, after},
      attributes, engine_);
  memory::desc inner, scratch;
  int sourceArgument = DNNL_ARG_SRC, destinationArgument = DNNL_ARG_DST, filterArgument = DNNL_ARG_WEIGHTS;
  if (direction == Direction::forward) {
    made->primitive = dnnl::convolution_forward(forward);
    inner = forward.weights_desc();
    scratch = forward.scratchpad_desc();
  } else if (direction == Direction::input) {
    const dnnl::convolution_backward_data::primitive_desc backward(
        {algorithm, source, anyFilter, destination, strides, before, after}, attributes, engine_, forward);
    made->primitive = dnnl::convolution_backward_data(backward);
    inner = backward.weights_desc();
    scratch = backward.scratchpad_desc();
    sourceArgument = DNNL_ARG_DIFF_SRC;
    destinationArgument = DNNL_ARG_DIFF_DST;
  } else {
    const dnnl::convolution_backward_weights::primitive_desc backward(
        {algorithm, source, anyFilter, destination, strides, before, after}, attributes, engine_, forward);
    made->primitive = dnnl::convolution_backward_weights(backward);
    inner = backward.diff_weights_desc();
    scratch = backward.scratchpad_desc();
    destinationArgument = DNNL_ARG_DIFF_DST;
    filterArgument = DNNL_ARG_DIFF_WEIGHTS;
  }
  made->source = memory(source, engine_, DNNL_MEMORY_NONE);
  made->destination = memory(destination, engine_, DNNL_MEMORY_NONE);
  made->filter = memory(plainFilter, engine_, DNNL_MEMORY_NONE);
  made->inner = memory(inner, engine_, DNNL_MEMORY_NONE);
  made->scratch = memory(scratch, engine_, DNNL_MEMORY_NONE);
  made->arguments = {{sourceArgument, made->source},
                     {destinationArgument, made->destination},
                     {filterArgument, made->inner},
                     {DNNL_ARG_SCRATCHPAD, made->scratch}};
  const bool inward = direction != Direction::filter;
  const memory& from = inward ? made->filter : made->inner;
  const memory& to = inward ? made->inner : made->filter;
  made->reorder = dnnl::reorder(from, to);
  made->reorderArguments = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};

  if (cache_.size() >= largestCache) cache_.clear();
  return *(cache_[key] = std::move(made));
}

void Convolutions::forward(const Geometry& g, const float* x, const float* filter, float* y) {
  Plan& p = plan(g, Direction::forward);
  p.source.set_data_handle(const_cast<float*>(x));
  p.destination.set_data_handle(y);
  p.filter.set_data_handle(const_cast<float*>(filter));
  p.inner.set_data_handle(weights_.atLeast(p.inner.get_desc().get_size()));
  p.scratch.set_data_handle(scratch_.atLeast(p.scratch.get_desc().get_size()));
  p.reorder.execute(stream_, p.reorderArguments);
  p.primitive.execute(stream_, p.arguments);
  stream_.wait();
}

void Convolutions::input(const Geometry& g, const float* dy, const float* filter, float* dx) {
  Plan& p = plan(g, Direction::input);
  p.source.set_data_handle(dx);
  p.destination.set_data_handle(const_cast<float*>(dy));
  p.filter.set_data_handle(const_cast<float*>(filter));
  p.inner.set_data_handle(weights_.atLeast(p.inner.get_desc().get_size()));
  p.scratch.set_data_handle(scratch_.atLeast(p.scratch.get_desc().get_size()));
  p.reorder.execute(stream_, p.reorderArguments);
  p.primitive.execute(stream_, p.arguments);
  stream_.wait();
}

void Convolutions::filter(const Geometry& g, const float* x, const float* dy, float* dFilter) {
  Plan& p = plan(g, Direction::filter);
  p.source.set_data_handle(const_cast<float*>(x));
  p.destination.set_data_handle(const_cast<float*>(dy));
  p.filter.set_data_handle(dFilter);
  p.inner.set_data_handle(weights_.atLeast(p.inner.get_desc().get_size()));
  p.scratch.set_data_handle(scratch_.atLeast(p.scratch.get_desc().get_size()));
  p.primitive.execute(stream_, p.arguments);
  p.reorder.execute(stream_, p.reorderArguments);
  stream_.wait();
}

}  // namespace fcaenet
