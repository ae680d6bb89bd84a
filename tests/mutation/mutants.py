"""Makes mutants of one module: small wrong changes, one at a time, that a good test must notice.

A mutant is the module's syntax tree with one node changed. Docstrings, annotations, messages to a person and
decorators are left alone, because a change there changes no behaviour that is promised.
"""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_COMPARE: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_BINARY: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.RShift: ast.LShift,
    ast.BitOr: ast.BitAnd,
}
# Calls whose later arguments are words for a person.
_SAYS: Final = frozenset({"_refuse", "BugError", "ConfigError", "TroubleError", "IllegalTransitionError"})
_SAYS_AFTER_CODE: Final = frozenset({"RefusedError", "NotYetError", "kind"})
# Readers of one field, whose second argument names the field in the message.
_NAMES_FIELD: Final = frozenset(
    {"integer", "boolean", "short", "one_of", "id_form", "kid_form", "sha256_form", "octets"}
)
# Readers whose message stands elsewhere, and where.
_SAYS_AT: Final = {
    **dict.fromkeys(("formed",), 2),
    **dict.fromkeys(("string", "nonempty", "key_bytes", "items", "shown", "_shown", "sign_keys", "enc_keys"), 1),
}


@dataclass(frozen=True)
class Mutant:
    """One mutant: `where` names it in a report and in the list of explained survivors."""

    where: str
    tree: ast.Module


def mutants(source: str) -> Iterator[Mutant]:
    """Yield every mutant of `source`, in the order of the text."""
    original = ast.parse(source)
    silent = _silent(original)
    for index, node in enumerate(ast.walk(original)):
        if id(node) in silent:
            continue
        for number, (words, _) in enumerate(_changes(node)):
            tree = copy.deepcopy(original)
            target = next(item for at, item in enumerate(ast.walk(tree)) if at == index)
            replacement = list(_changes(target))[number][1]
            _Replace(target, replacement).visit(tree)
            ast.fix_missing_locations(tree)
            line = source.splitlines()[getattr(node, "lineno", 1) - 1].strip()
            yield Mutant(f"{words} in `{line}`", tree)


def _silent(tree: ast.Module) -> set[int]:
    """Return the ids of nodes that are left alone."""
    silent: set[int] = set()

    def hush(node: ast.AST) -> None:
        silent.update(id(item) for item in ast.walk(node))

    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            hush(node)
        elif isinstance(node, ast.AnnAssign | ast.arg) and node.annotation is not None:
            hush(node.annotation)
        elif isinstance(node, ast.FunctionDef) and node.returns is not None:
            hush(node.returns)
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            for item in node.decorator_list:
                hush(item)
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
                name = node.func.attr if node.func.value.id == "forms" else ""
            for item in _words(name, node.args):
                hush(item)
        if isinstance(node, ast.JoinedStr):
            hush(node)
    return silent


def _words(called: str, args: list[ast.expr]) -> list[ast.expr]:
    if called in _SAYS:
        return args
    if called == "closed":
        return args[3:]
    if called in _SAYS_AT:
        return args[_SAYS_AT[called] :][:1]
    if called in _SAYS_AFTER_CODE:
        return args[1:]
    return args[1:2] if called in _NAMES_FIELD else []


def _changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Yield (what is done, the node that takes its place)."""
    if isinstance(node, ast.Compare):
        yield from _compare(node)
    elif isinstance(node, ast.BoolOp):
        yield from _bool_op(node)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not dropped", node.operand
    elif isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        new = _BINARY[type(node.op)]()
        yield f"{type(node.op).__name__} becomes {type(new).__name__}", ast.BinOp(node.left, new, node.right)
    elif isinstance(node, ast.Constant):
        yield from _constant(node)
    elif isinstance(node, ast.If):
        for value in (True, False):
            yield f"if {value}", ast.If(ast.Constant(value), node.body, node.orelse)
    elif isinstance(node, ast.Raise):
        yield "raise dropped", ast.Pass()
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield "call dropped", ast.Pass()
    elif isinstance(node, ast.Dict):
        for at in range(len(node.keys)):
            keys, values = list(node.keys), list(node.values)
            del keys[at], values[at]
            yield f"entry {at} dropped", ast.Dict(keys, values)


def _compare(node: ast.Compare) -> Iterator[tuple[str, ast.AST]]:
    for at, old in enumerate(node.ops):
        new = _COMPARE[type(old)]()
        ops = [*node.ops[:at], new, *node.ops[at + 1 :]]
        words = f"{type(old).__name__} becomes {type(new).__name__}"
        yield words, ast.Compare(node.left, ops, node.comparators)


def _bool_op(node: ast.BoolOp) -> Iterator[tuple[str, ast.AST]]:
    yield "and and or swapped", ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    for at in range(len(node.values)):
        left = [value for index, value in enumerate(node.values) if index != at]
        yield f"operand {at} dropped", left[0] if len(left) == 1 else ast.BoolOp(node.op, left)


def _constant(node: ast.Constant) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node.value, bool):
        yield f"{node.value} flipped", ast.Constant(not node.value)
    elif isinstance(node.value, int):
        yield f"{node.value} plus 1", ast.Constant(node.value + 1)
        yield f"{node.value} minus 1", ast.Constant(node.value - 1)
    elif isinstance(node.value, str) and node.value:
        yield f"{node.value!r} changed", ast.Constant(node.value + "x")
    elif isinstance(node.value, bytes):
        yield f"{node.value!r} changed", ast.Constant(node.value + b"x")


class _Replace(ast.NodeTransformer):
    """Puts one node in another's place."""

    def __init__(self, target: ast.AST, replacement: ast.AST) -> None:
        self._target, self._replacement = target, replacement

    def visit(self, node: ast.AST) -> ast.AST:
        if node is self._target:
            return ast.copy_location(self._replacement, node)
        return super().visit(node)  # type: ignore[no-any-return]  # typeshed says Any; a transformer returns nodes
