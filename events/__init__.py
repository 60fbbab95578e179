"""The language of Hujiao: facts and requests as plain structs, and what other systems may rely on."""
