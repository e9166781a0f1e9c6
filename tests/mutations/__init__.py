"""Faults put into the code on purpose: ``named`` are known ones, ``sampled`` are drawn at random."""
