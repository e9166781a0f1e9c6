"""The lab: real hosts in containers, with a real backend, broker, page and browser."""
