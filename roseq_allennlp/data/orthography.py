"""The shape of a word: which of its characters are capitals, small letters, digits and the rest."""

from unicodedata import category


def word_shape(word: str) -> str:
    """
    One symbol per character, so that a shape lines up with its word: "I don't like 13!" is `C cccpc cccc nnp`.
    The classes are Unicode's general categories, and the alphabet is the paper's, in all scripts:

    - `C`: capitals and title-case letters (Lu, Lt), accented, Greek and Cyrillic ones too: É, Ω, Ж.
    - `c`: all other letters. Those of scripts without case (Arabic, Hebrew, Han, Devanagari) are `c`, as `C` is to tell
      a capital from what it stands out of, and nothing stands out there.
    - `n`: all numbers (N*): digits of any script, ½, ², Ⅷ.
    - `p`: everything else: punctuation, symbols, emoji, white space, control characters. A class of their own for emoji
      would be one that most corpora never hold; their characters are known one by one to the character embedding.

    A combining mark (M*) belongs to the character before it: `c` on a letter, so that a decomposed é differs from a
    composed one in length only; otherwise that character's class, as in ❤️ (`pp`); `p` at the start of a word.
    """
    shape: list[str] = []
    for character in word:
        kind = category(character)
        if kind in ("Lu", "Lt"):
            shape.append("C")
        elif kind[0] == "L":
            shape.append("c")
        elif kind[0] == "N":
            shape.append("n")
        elif kind[0] == "M" and shape:
            shape.append(shape[-1].lower())
        else:
            shape.append("p")
    return "".join(shape)
