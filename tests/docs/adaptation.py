"""Whether an asynchronous program is a synchronous example with nothing else changed.

Both are brought to the same form. Of ours that takes away imports, `await`, the coroutine `main`
around it all, `async with` (the name it binds is assigned), and assignments to names that the
example uses without saying where they come from. An ellipsis in the example stands for anything.
"""

import ast
import builtins
from collections.abc import Iterator


def difference(example: str, ours: str) -> str | None:
    """Say what `ours` changes beyond adapting `example`; None when it is nothing."""
    theirs, adapted = _statements(example), _statements(ours)
    free = _open_names(example)
    adapted = [statement for statement in adapted if not _fills_in(statement, free)]
    for wanted, found in zip(theirs, adapted, strict=False):
        if not _matches(wanted, found):
            return f"for\n{ast.unparse(wanted)}\nthere is\n{ast.unparse(found)}"
    if len(theirs) != len(adapted):
        longer, verb = (theirs, "is missing") if len(theirs) > len(adapted) else (adapted, "is new")
        return f"{ast.unparse(longer[min(len(theirs), len(adapted))])}\n{verb}"
    return None


class _Plain(ast.NodeTransformer):
    def visit_Await(self, node: ast.Await) -> ast.AST:
        plain: ast.AST = self.visit(node.value)
        return plain

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        self.generic_visit(node)
        plain = ast.FunctionDef(
            **{name: getattr(node, name) for name in node._fields}, lineno=node.lineno
        )
        return ast.copy_location(plain, node)


def _statements(source: str) -> list[ast.stmt]:
    return _flat(_Plain().visit(ast.parse(source)).body)


def _flat(body: list[ast.stmt]) -> list[ast.stmt]:
    return [plain for statement in body for plain in _flattened(statement)]


def _flattened(statement: ast.stmt) -> Iterator[ast.stmt]:
    match statement:
        case ast.Import() | ast.ImportFrom():
            return
        case ast.FunctionDef(name="main"):
            yield from _flat(statement.body)
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="asyncio"), attr="run"))):
            return
        case ast.With() | ast.AsyncWith():
            for item in statement.items:
                if item.optional_vars is None:
                    yield ast.Expr(item.context_expr)
                else:
                    yield ast.Assign([item.optional_vars], item.context_expr, lineno=0)
            yield from _flat(statement.body)
        case _:
            for name in ("body", "orelse", "finalbody"):
                if isinstance(getattr(statement, name, None), list):
                    setattr(statement, name, _flat(getattr(statement, name)))
            yield statement


def _open_names(example: str) -> set[str]:
    """The names an example uses and neither binds nor imports."""
    used, bound = set(), set(dir(builtins))
    for node in ast.walk(ast.parse(example)):
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                used.add(name)
            case ast.Name(id=name):
                bound.add(name)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                bound.add(name)
            case ast.ExceptHandler(name=str(name)) | ast.arg(arg=name):
                bound.add(name)
            case ast.alias(name=name, asname=asname):
                bound.add(asname or name)
            case _:
                pass
    return used - bound


def _fills_in(statement: ast.stmt, free: set[str]) -> bool:
    if not isinstance(statement, ast.Assign):
        return False
    targets = [node for target in statement.targets for node in ast.walk(target)]
    return all(
        node.id in free if isinstance(node, ast.Name) else isinstance(node, ast.Tuple | ast.Store)
        for node in targets
    )


def _matches(wanted: object, found: object) -> bool:
    match wanted, found:
        case ast.Call(args=[ast.Constant(value=value)], keywords=[]), ast.Call() if value is ...:
            return _matches(wanted.func, found.func)
        case ast.AST(), ast.AST():
            return type(wanted) is type(found) and all(
                _matches(getattr(wanted, name, None), getattr(found, name, None))
                for name in wanted._fields
                if name not in ("ctx", "type_comment", "kind")
            )
        case list(), list():
            return len(wanted) == len(found) and all(map(_matches, wanted, found))
        case _:
            return wanted == found
