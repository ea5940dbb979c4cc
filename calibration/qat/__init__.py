"""Quantization-aware training (QAT): fine-tune a checkpoint with quantization in place."""
