"""Static passes over a module, whoever made it: what a runtime may rely on without looking.

| code | what is wrong |
|------|---------------|
| E400 | a rigid block holds something that is no statement, so nobody can say that it is deterministic |
| E402 | the entity key is in no flow's input, or an entity Core has none |
| E405 | a rigid block calls a model |
| E410 | a trigger has an unknown kind, or names a flow that does not exist |
| E411 | a data value, an output or a merged result is said to come from a node that does not exist there |
| E412 | a generated flag is tested where it may not have been set |
| E413 | a model call has a role that the registry does not have |
| E414 | a loop or a parallel block has no bound, or one below 1 |
| E415 | two flows of a module, or two nodes of a flow, have the same name |
| E416 | a plugin is called that the module does not declare |
| E417 | an expression or a template cannot be read |
| E418 | a checkpoint's `on_timeout` is unknown, or resolves to an option that is not offered |
| E419 | a try block does not hold exactly one block |

E400, E402 and E405 are the language's own. Names that may be fields of the input are not checked: what callers
send is theirs.
"""

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.verifier.structure import check_structure
from scaiflow_api.compiler.verifier.texts import check_texts
from scaiflow_api.compiler.verifier.violation import Violation

__all__ = ["Violation", "verify"]


def verify(module: ir.Module) -> list[Violation]:
    """Return all that is wrong with a module: its structure first, then its texts, each in the module's order.

    Nothing is wrong with what the compiler makes.
    """
    return [*check_structure(module), *check_texts(module)]
