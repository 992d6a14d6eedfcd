"""Tests; a package, so that one of its parts can be run as a program."""
