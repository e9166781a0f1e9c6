"""What a diagnosis can say: codes and their sentences, findings and their evidence; what is kept secret."""
