"""One HTML page about bundles: how right, how fast, how near to float32, and how it got there."""
