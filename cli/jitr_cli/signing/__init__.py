"""Keys and signatures of CAs: with a key file, or in AWS Private CA."""
