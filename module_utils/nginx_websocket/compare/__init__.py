"""Two configurations and the requests that users make: where what they see would part."""
