"""Tests of the two simulated ends, over real sockets."""
