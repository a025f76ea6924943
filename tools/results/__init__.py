"""The published records, and the tables made from them."""
