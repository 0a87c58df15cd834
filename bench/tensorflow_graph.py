"""Python's side of bench/graph.mjs: the same microbatch of a ResNet-50 as one tf.function, a number of them at a time.

usage: tensorflow_graph.py ROWS SIZE THREADS array|tensor

The gradient ends as a NumPy array, as a worker would send it, or stays in TensorFlow, a tensor for each variable.
Reads a number of steps per line, writes the seconds they took, then the processor's seconds.
"""

import sys
import time

import numpy as np
import tensorflow as tf

BITS = 48
REGIONS = 50


class Network:
    """ResNet-50 with a hash layer, in train mode."""

    def __init__(self):
        self.random = np.random.default_rng(0)
        self.variables = []
        self.stem = self.filtered(3, 64, 7)
        self.blocks = []
        channels = 64
        for stage, count in enumerate([3, 4, 6, 3]):
            width = 64 * 2**stage
            for index in range(count):
                stride = 2 if stage > 0 and index == 0 else 1
                outputs = 4 * width
                main = [
                    self.filtered(channels, width, 1),
                    self.filtered(width, width, 3),
                    self.filtered(width, outputs, 1),
                ]
                shortcut = self.filtered(channels, outputs, 1) if index == 0 else None
                self.blocks.append((main, shortcut, stride))
                channels = outputs
        self.weight = self.variable([channels, BITS], channels**-0.5)
        self.bias = self.variable([BITS], channels**-0.5)

    def variable(self, shape, scale):
        values = self.random.uniform(-scale, scale, shape).astype(np.float32)
        self.variables.append(tf.Variable(values))
        return self.variables[-1]

    def filtered(self, inputs, outputs, kernel):
        filters = self.variable([kernel, kernel, inputs, outputs], (6 / (kernel * kernel * outputs)) ** 0.5)
        scale, offset = tf.Variable(tf.ones([outputs])), tf.Variable(tf.zeros([outputs]))
        self.variables += [scale, offset]
        return filters, scale, offset

    def normalised(self, layer, x, stride, statistics):
        filters, scale, offset = layer
        margin = (filters.shape[0] - 1) // 2
        # By name as in the graph, where a name is the same: TensorFlow is slower with padding in numbers.
        if margin == 0:
            padding = "VALID"
        elif stride == 1:
            padding = "SAME"
        else:
            padding = [[0, 0], [margin, margin], [margin, margin], [0, 0]]
        x = tf.nn.conv2d(x, filters, stride, padding)
        y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x, scale=scale, offset=offset, mean=[], variance=[], epsilon=1e-5, is_training=True
        )
        count = x.shape[0] * x.shape[1] * x.shape[2]
        statistics.append((mean, variance * ((count - 1) / count)))
        return y

    def forward(self, x):
        statistics = []
        x = tf.nn.relu(self.normalised(self.stem, x, 2, statistics))
        x = tf.nn.max_pool2d(x, 3, 2, [[0, 0], [1, 1], [1, 1], [0, 0]])
        for (first, second, last), shortcut, stride in self.blocks:
            y = tf.nn.relu(self.normalised(first, x, 1, statistics))
            y = tf.nn.relu(self.normalised(second, y, stride, statistics))
            y = self.normalised(last, y, 1, statistics)
            x = tf.nn.relu(y + (x if shortcut is None else self.normalised(shortcut, x, stride, statistics)))
        u = tf.tanh(tf.reduce_mean(x, [1, 2]) @ self.weight + self.bias)
        return u, x, statistics


def upsampled(values, axis, size):
    """Bilinear along one axis, with half-pixel centres, in float64."""
    length = values.shape[axis]
    source = np.clip((np.arange(size) + 0.5) * length / size - 0.5, 0, length - 1)
    first = np.floor(source).astype(np.int32)
    second = np.minimum(first + 1, length - 1)
    fraction = (source - first).reshape([-1 if i == axis else 1 for i in range(3)])
    low, high = tf.gather(values, first, axis=axis), tf.gather(values, second, axis=axis)
    return low + fraction * (high - low)


def mask_of(feature_map, size, square):
    rows = feature_map.shape[0]
    mean = tf.reduce_mean(tf.cast(feature_map, tf.float64), 3)
    attention = upsampled(upsampled(mean, 2, size), 1, size)
    least = tf.reduce_min(attention, [1, 2], keepdims=True)
    largest = tf.reduce_max(attention, [1, 2], keepdims=True)
    attention = (attention - least) / (largest - least + 1e-8)
    count = min(REGIONS, size * size)
    hottest = tf.math.top_k(tf.reshape(attention, [rows, -1]), count, sorted=False).indices
    places = tf.stack([tf.repeat(tf.range(rows), count), tf.reshape(hottest, [-1])], 1)
    hot = tf.reshape(tf.scatter_nd(places, tf.ones([rows * count]), [rows, size * size]), [rows, size, size, 1])
    padded = tf.pad(hot, [[0, 0], [square - 1, 0], [square - 1, 0], [0, 0]])
    erased = tf.nn.max_pool2d(tf.nn.max_pool2d(padded, [1, square], 1, "VALID"), [square, 1], 1, "VALID")
    return tf.equal(erased, 0)


def main():
    rows, size, threads = map(int, sys.argv[1:4])
    as_array = sys.argv[4] == "array"
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    network = Network()
    square = round(size / 8)

    @tf.function
    def microbatch(anchors, positives, gram, targets, codes, scalars):
        scale, gamma, positive_weight, erased_weight = tf.unstack(scalars)
        with tf.GradientTape() as tape:
            both, feature_map, first = network.forward(tf.concat([anchors, positives], 0))
            mask = tf.stop_gradient(mask_of(feature_map[:rows], size, square))
            erased, _, second = network.forward(tf.where(mask, anchors, 0.0))
            u, positive, other = (tf.cast(x, tf.float64) for x in (both[:rows], both[rows:], erased))
            residual = u - codes
            products = u @ gram
            losses = [
                scale * tf.reduce_sum(u * (products - 2 * BITS * targets)),
                scale * gamma * tf.reduce_sum(residual**2),
                positive_weight * tf.reduce_sum((u - positive) ** 2),
                erased_weight * tf.reduce_sum((u - other) ** 2),
            ]
            loss = tf.add_n(losses)
        gradients = tape.gradient(loss, network.variables)
        statistics = tf.concat([tf.concat(pair, 0) for pair in first + second], 0)
        if as_array:
            gradients = tf.concat([tf.reshape(gradient, [-1]) for gradient in gradients], 0)
        return gradients, both, erased, losses, statistics, mask

    random = np.random.default_rng(1)
    pictures = lambda: random.uniform(-1, 1, [rows, size, size, 3]).astype(np.float32)
    anchors, positives = pictures(), pictures()
    gram, targets = np.eye(BITS) * 24.0, random.uniform(-1, 1, [rows, BITS])
    codes, scalars = np.sign(targets), np.array([1 / (24 * rows), 200.0, 1 / BITS, 1 / BITS])

    def step():
        gradient, *outcome = microbatch(*map(tf.constant, (anchors, positives, gram, targets, codes, scalars)))
        return gradient.numpy() if as_array else gradient, [x.numpy() for x in tf.nest.flatten(outcome)]

    step()
    print("ready", tf.__version__, flush=True)
    for line in sys.stdin:
        start, processor = time.perf_counter(), time.process_time()
        for _ in range(int(line)):
            step()
        print(time.perf_counter() - start, time.process_time() - processor, flush=True)


if __name__ == "__main__":
    main()
