"""What users asked a site for: which logs it writes, in which format, and what stands in them."""
