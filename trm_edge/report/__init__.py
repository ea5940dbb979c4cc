"""The HTML report: one page about bundles that needs no network and no other file."""
