"""Refuse to start a stack on ports that something else has, and name ports that are free."""

from collections.abc import Iterator

from deploy.dev_stack.stack import HIGHEST_BASE, PORT_BASE, Stack, place_ports
from deploy.ports import is_taken

BASE_STEP = 1_000


class PortTakenError(RuntimeError):
    """Says which part wants the port, and how to give it another."""


def refuse_taken_ports(stack: Stack) -> None:
    """Raise PortTakenError with a line for each part that cannot have its port."""
    wanted = {name: port for name, port in stack.ports.items() if name != "BROKER_PORT"}
    if not stack.kafka_servers:
        wanted["BROKER_PORT"] = stack.ports["BROKER_PORT"]
    if lines := list(_list_conflicts(wanted, set(stack.ports.values()))):
        if len(lines) > 1 and (base := _find_free_base()):
            lines.append(f"Or move all of them: PORT_BASE={base} make run")
        raise PortTakenError("\n".join(lines))


def _list_conflicts(wanted: dict[str, int], offered: set[int]) -> Iterator[str]:
    for number, (name, port) in enumerate(wanted.items()):
        if is_taken(port):
            conflict = f"Port {port} is taken, and {_find_owner(name)} wants it."
        elif port in list(wanted.values())[:number]:
            conflict = f"Port {port} is wanted twice, also by {_find_owner(name)}."
        else:
            continue
        yield f"{conflict} Choose another: {name}={_find_free_port(port, offered)} make run"


def _find_free_port(port: int, offered: set[int]) -> int:
    """Return a near port that is free and offered to no other part; add it to the offered ones."""
    near = range(port + 1, port + 1000)
    found = next(other for other in near if other not in offered and not is_taken(other))
    offered.add(found)
    return found


def _find_free_base() -> int | None:
    bases = range(PORT_BASE + BASE_STEP, HIGHEST_BASE, BASE_STEP)
    return next(
        (base for base in bases if not any(map(is_taken, place_ports(base).values()))), None
    )


def _find_owner(variable: str) -> str:
    name = variable.removesuffix("_PORT").lower().replace("_", " ")
    return f"the {name}"
