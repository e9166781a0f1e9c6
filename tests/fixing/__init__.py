"""``fix`` on real nginx: configurations of real-life shape, broken in many ways, mended, taken back."""
