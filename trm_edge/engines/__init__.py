"""TensorRT engines: the driver and CUDA calls, the compiler, the builder, and what lies on disk."""
