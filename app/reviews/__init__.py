"""Performance reviews and the evidence frozen into them."""
