"""Algorithms of the toolbox: each runs the driver or one of the tools, and computes nothing itself."""
