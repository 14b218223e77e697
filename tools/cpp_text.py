"""C++ source as the checks read it: comments and the insides of literals blanked, lines kept."""
import re

_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/'
    r'|R"(?P<raw>[^(\s]{0,16})\(.*?\)(?P=raw)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])*'",
    re.S)


def _blank(match):
    text = match[0]
    kept = re.sub(r"[^\n]", " ", text)
    return kept if text.startswith("/") else text[0] + kept[1:-1] + text[-1]


def code_only(text):
    """Same length and lines; comments become spaces, and so does the inside of every literal."""
    return _TOKEN.sub(_blank, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def sources(root, folders):
    """Every header and source file under these folders of root, in a fixed order."""
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".h", ".cc"):
                yield path
