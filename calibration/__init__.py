"""Step graph and true carries to an INT8 or FP8 graph (nvidia-modelopt, onnx)."""
