"""What `make demo` shows: a drawn shot of 48 frames, taken through both routes. Not a part of the extension."""
