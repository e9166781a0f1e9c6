"""What rules make: findings with their evidence, suspects; and what of a configuration is kept secret."""
