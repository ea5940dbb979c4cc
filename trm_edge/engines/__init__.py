"""TensorRT engines: the driver, CUDA calls, the compiler, the builder and the files on disk."""
