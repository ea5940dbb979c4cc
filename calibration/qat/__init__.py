"""Quantization-aware training (QAT): fine-tuning of a checkpoint with quantization in place."""
