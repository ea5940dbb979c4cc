"""Trained checkpoint to float32 step graph (torch, onnx)."""
