"""Decision requests: an officer's inputs for an action, and the fields derived from them.

    RequestForm      one action's inputs, from which user interfaces make options or fields
    Input            one input and its field in the table
    RequestForm.request(context, entered) -> DecisionRequest

No prompts, output or files: a document is entered as its bytes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from blackthorn.errors import UserError
from blackthorn.governance import limits
from blackthorn.governance.inputs import parse_value
from blackthorn.governance.transitions import Case, Transition, find
from blackthorn.governance.values import Spec, empty_value


@dataclass(frozen=True, slots=True)
class DecisionRequest:
    """A decision to propose.

    `public` and `private` are entered fields. `default` fills other public fields unless another
    officer proposed values. `notes` are shown before signing.
    """

    case: str
    action: str
    public: dict[str, Any] = field(default_factory=dict)
    default: dict[str, Any] = field(default_factory=dict)
    private: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Input:
    """One input; `preset` is its default value, which a note names when it is taken.

    An empty input takes another officer's proposal unless `yields` is false. A `past` time is not
    later than the ledger's.
    """

    name: str
    field: str
    help: str = ""
    required: bool = False
    preset: Any = None
    yields: bool = True
    end_of_day: bool = False
    past: bool = False
    placeholder: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """What a request depends on besides its inputs.

    `case` may be a new one with only its id. `demand` is the private part of a directive's receipt,
    {} if unknown. `measured` are public fields that nobody enters, such as a package's hash.
    `label` names an input for the user interface; `show_time` formats Unix milliseconds.
    """

    case: Case
    now_ms: int
    domain: str = ""
    demand: Mapping[str, Any] = field(default_factory=dict)
    measured: Mapping[str, Any] = field(default_factory=dict)
    label: Callable[[str], str] = str
    show_time: Callable[[int], str] = str


Finish = Callable[[Context, DecisionRequest], DecisionRequest]
"""Checks and completes a request. Raises UserError."""


@dataclass(frozen=True, slots=True)
class RequestForm:
    """The inputs of one action. `help` explains the action to officers."""

    move: Transition
    help: str
    inputs: tuple[Input, ...] = ()
    finish: Finish | None = None

    def is_private(self, entry: Input) -> bool:
        """Whether the ledger shows only a hash of it."""
        return entry.field in self.move.private

    def spec(self, entry: Input) -> Spec:
        return (self.move.private if self.is_private(entry) else self.move.public)[entry.field]

    def help_of(self, entry: Input) -> str:
        """An input's help, or else its choices."""
        spec = self.spec(entry)
        if entry.help:
            return entry.help
        *others, last = spec.choices
        again = " Again for each." if spec.kind == "list" else ""
        return f"{', '.join(others)} or {last}.{again}"

    def request(self, context: Context, entered: Mapping[str, Any]) -> DecisionRequest:
        """The decision for these inputs, by name. Raises UserError."""
        public, default, private = dict(context.measured), dict[str, Any](), dict[str, Any]()
        taken = []
        for entry in self.inputs:
            value, spec = entered.get(entry.name, entry.preset), self.spec(entry)
            if entry.preset is not None and entry.name not in entered:
                taken.append(f"{context.label(entry.name)} {entry.preset}")
            fields = private if self.is_private(entry) else public
            if value is not None:
                label = context.label(entry.name)
                value = parse_value(value, spec, label, end_of_day=entry.end_of_day)
                if entry.past and value > context.now_ms + limits.MAX_LEDGER_LAG_MS:
                    now = context.show_time(context.now_ms)
                    raise UserError(f"{label} is later than the ledger's time, {now}")
            elif entry.required:
                raise UserError(f"{context.label(entry.name)} is missing")
            else:
                value = empty_value(spec)
                fields = default if entry.yields and fields is public else fields
            fields[entry.field] = value
        request = DecisionRequest(context.case.id, self.move.action, public, default, private)
        if taken:
            request = noted(request, f"Not entered, and so taken: {', '.join(taken)}.")
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
    return replace(request, notes=(*request.notes, *notes))
