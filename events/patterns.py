"""What the language's patterns share: they mean the same to Python and to the ECMAScript of JSON Schema."""

END = r"(?![\s\S])"
"""Nothing follows, not even a line break, before which Python's ``$`` ends too."""

PRINTABLE = rf"^[^\x00-\x1f\x7f]+{END}"
"""One line without control characters."""
