"""The terminal program: screens over the laboratory's read models."""
