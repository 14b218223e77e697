#!/usr/bin/env python3
"""Finds co_await expressions that g++ 12 miscompiles. Run by ctest as `check_coawait`.

g++ 12.2 destroys an aggregate temporary, or a capturing lambda, twice when it is created inside the
full-expression of a co_await. Give it a name in the statement before, and move it in.
"""
import pathlib
import re
import sys

from cpp_text import code_only, line_of, sources

FOLDERS = ("common", "config", "proxy", "activator", "autoscaler", "controller", "local", "cli",
           "examples", "bench", "tests")

BEFORE = r"(?:[(,=?!&|+]|(?<!:):(?!:)|\bco_await\b|\bco_return\b|\breturn\b)"
AGGREGATE = re.compile(BEFORE + r"\s*(?:[A-Za-z_][\w:]*(?:<[^;{}]*?>)?)?\s*\{")
CAPTURE = re.compile(BEFORE + r"\s*\[[^\]\[]+\]")
CONDITION = re.compile(r"\b(?:if(?:\s+constexpr)?|while|switch|for)\s*$")
OPEN, CLOSE = "([{", ")]}"


def expression_start(code, at):
    """Where the full-expression around code[at] begins: after a ; or block brace, or in an if (...)."""
    depth = 0
    i = at - 1
    while i >= 0:
        char = code[i]
        if char in CLOSE:
            if char == "}" and depth == 0:
                following = code[i + 1:at].lstrip()
                if not following.startswith((",", ")", ".")):
                    return i + 1  # the end of the block before
            depth += 1
        elif char in OPEN:
            if depth > 0:
                depth -= 1
            elif char == "(" and CONDITION.search(code[max(0, i - 24):i]):
                return i + 1
            elif char == "{" and opens_block(code, i):
                return i + 1
        elif char == ";" and depth == 0:
            return i + 1
        i -= 1
    return 0


def opens_block(code, brace):
    before = code[max(0, brace - 200):brace].rstrip()
    if not before or before[-1] in ");{}:":
        return True
    word = re.search(r"\w+$", before)
    return bool(word) and word[0] in ("else", "do", "try", "const", "noexcept", "override")


def expression_end(code, at):
    """Where it ends: at the ; , or at the parenthesis that closes the condition it is in."""
    depth = 0
    for i in range(at, len(code)):
        char = code[i]
        if char in OPEN:
            if char == "{" and depth <= 0 and opens_block(code, i):
                return i
            depth += 1
        elif char in CLOSE:
            depth -= 1
        elif char == ";" and depth <= 0:
            return i
    return len(code)


def findings(text):
    """Line numbers of the expressions with such a temporary."""
    code = code_only(text)
    lines = set()
    for match in re.finditer(r"\bco_await\b", code):
        expression = code[expression_start(code, match.start()):expression_end(code, match.end())]
        if AGGREGATE.search(expression) or CAPTURE.search(expression):
            lines.add(line_of(code, match.start()))
    return sorted(lines)


def main(root):
    bad, files = [], 0
    for path in sources(root, FOLDERS):
        files += 1
        for line in findings(path.read_text()):
            bad.append(f"{path.relative_to(root)}:{line}: temporary inside co_await")
    print("\n".join(bad) or f"coawait: {files} files clean")
    return 1 if bad or files == 0 else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
