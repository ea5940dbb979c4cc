"""Calibration and quantization of a step graph to INT8, FP8 or INT4 (nvidia-modelopt, onnx)."""
