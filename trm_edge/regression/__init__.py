"""Compare a bundle with its baseline: is it slower or less accurate than it was?"""
