"""What a container is given: files, keys, certificates, the built page."""
