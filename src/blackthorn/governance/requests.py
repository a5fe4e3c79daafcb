"""Decision requests: what an officer enters for an action, and the fields that follow from it.

    RequestForm      one action's inputs; the command line makes options of it, a console a form
    Input            one input: the field that it fills, whose type and bounds are in the table
    RequestForm.request(context, entered) -> DecisionRequest

Nothing here asks, prints or reads a file: a document is entered as its bytes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from blackthorn.errors import UserError
from blackthorn.governance.inputs import parse_value
from blackthorn.governance.transitions import Case, Transition, find
from blackthorn.governance.values import Spec, empty_value


@dataclass(frozen=True, slots=True)
class DecisionRequest:
    """What an officer wants decided.

    `public` and `private` are the fields that they entered. `default` fills in the other public
    fields and gives way to what another officer has proposed. `notes` are shown before signing.
    """

    case: str
    action: str
    public: dict[str, Any] = field(default_factory=dict)
    default: dict[str, Any] = field(default_factory=dict)
    private: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Input:
    """One input. `preset` is its value until the officer enters another one.

    An input left empty yields to another officer's proposal, unless `yields` is false.
    """

    name: str
    field: str
    help: str = ""
    required: bool = False
    preset: Any = None
    yields: bool = True
    end_of_day: bool = False
    placeholder: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """What a request depends on besides its inputs.

    `case` is the case as it stands, for a new one empty but for its id. `demand` is the private
    part of a directive's receipt, {} where it was not shown. `measured` are public fields that
    nobody enters, such as the hash of a package. `label` names an input as the user interface
    does; `show_time` prints Unix milliseconds.
    """

    case: Case
    now_ms: int
    domain: str = ""
    demand: Mapping[str, Any] = field(default_factory=dict)
    measured: Mapping[str, Any] = field(default_factory=dict)
    label: Callable[[str], str] = str
    show_time: Callable[[int], str] = str


Finish = Callable[[Context, DecisionRequest], DecisionRequest]
"""Checks a request against its case and completes its fields. Raises UserError."""


@dataclass(frozen=True, slots=True)
class RequestForm:
    """The inputs of one action. `help` says what the action does, for whoever takes it."""

    move: Transition
    help: str
    inputs: tuple[Input, ...] = ()
    finish: Finish | None = None

    def is_private(self, entry: Input) -> bool:
        """Whether the ledger shows only a hash of it."""
        return entry.field in self.move.private

    def spec(self, entry: Input) -> Spec:
        """The type and the bounds of an input."""
        return (self.move.private if self.is_private(entry) else self.move.public)[entry.field]

    def help_of(self, entry: Input) -> str:
        """What an input means; the choices, where nothing else is said of them."""
        spec = self.spec(entry)
        if entry.help:
            return entry.help
        *others, last = spec.choices
        again = " Again for each." if spec.kind == "list" else ""
        return f"{', '.join(others)} or {last}.{again}"

    def request(self, context: Context, entered: Mapping[str, Any]) -> DecisionRequest:
        """The decision that these inputs ask for, by name. Raises UserError."""
        public, default, private = dict(context.measured), dict[str, Any](), dict[str, Any]()
        for entry in self.inputs:
            value, spec = entered.get(entry.name, entry.preset), self.spec(entry)
            fields = private if self.is_private(entry) else public
            if value is not None:
                label = context.label(entry.name)
                value = parse_value(value, spec, label, end_of_day=entry.end_of_day)
            elif entry.required:
                raise UserError(f"{context.label(entry.name)} is missing")
            else:
                value = empty_value(spec)
                fields = default if entry.yields and fields is public else fields
            fields[entry.field] = value
        request = DecisionRequest(context.case.id, self.move.action, public, default, private)
        return self.finish(context, request) if self.finish is not None else request


def make_form(
    moves: Sequence[Transition],
    action: str,
    text: str,
    *inputs: Input,
    finish: Finish | None = None,
) -> RequestForm:
    """The form of an action of the table `moves`."""
    return RequestForm(find(moves, action), text, inputs, finish)


def noted(request: DecisionRequest, *notes: str) -> DecisionRequest:
    """The request with notes for the officer."""
    return replace(request, notes=(*request.notes, *notes))
