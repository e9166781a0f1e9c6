"""The steps that turn a candidate into the live release, or leave the host exactly as it was."""
