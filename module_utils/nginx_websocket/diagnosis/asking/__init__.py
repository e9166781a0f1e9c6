"""Handshakes and requests that are sent to learn something."""
