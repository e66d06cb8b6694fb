"""The terminal program: screens over the laboratory's read models."""

import os

# Textual draws at most so often, and reads it when it is imported: a key just after something else was drawn waits no 16 ms for its turn.
os.environ.setdefault("TEXTUAL_FPS", "240")
