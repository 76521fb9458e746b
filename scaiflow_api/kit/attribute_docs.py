"""The sentences below the attributes of a class, read from its source when somebody asks for them."""

import ast
import inspect
import textwrap


def attribute_docs(cls: type) -> dict[str, str]:
    """Return attribute → its docstring, for the class itself without its bases; empty where there is no source."""
    try:
        source = textwrap.dedent(inspect.getsource(cls))
    except (OSError, TypeError):
        return {}
    body = ast.parse(source).body[0]
    assert isinstance(body, ast.ClassDef)
    docs = {}
    for statement, following in zip(body.body, body.body[1:], strict=False):
        match statement, following:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str() as text)),
            ):
                docs[name] = inspect.cleandoc(text)
    return docs
