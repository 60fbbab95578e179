"""Strategies that draw facts and requests from what their structs' types allow."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from msgspec import inspect

from events.patterns import END

Drawn = SearchStrategy[Any]

MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2400, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # hypothesis wants naive bounds
SMALL, WIDE = -(2**63), 2**64 - 1
MOST_ITEMS, MOST_CHARACTERS = 3, 20


@cache
def any_of(struct: type[Any]) -> Drawn:
    """Any value of a struct, with all its fields or only those it must have."""
    return built(struct, {})


def built(struct: type[Any], by_name: Mapping[str, Drawn]) -> Drawn:
    """Values of a struct whose fields with these names, at any depth, come from these strategies."""
    return _any(inspect.type_info(struct), by_name)


def _any(kind: inspect.Type, by_name: Mapping[str, Drawn]) -> Drawn:
    match kind:
        case inspect.StructType():
            return _struct(kind, by_name)
        case inspect.UnionType():
            return st.one_of(*(_any(one, by_name) for one in kind.types))
        case inspect.VarTupleType():
            most = MOST_ITEMS if kind.max_length is None else min(MOST_ITEMS, kind.max_length)
            return st.lists(_any(kind.item_type, by_name), min_size=kind.min_length or 0, max_size=most).map(tuple)
        case inspect.TupleType():
            return st.tuples(*(_any(one, by_name) for one in kind.item_types))
        case inspect.LiteralType():
            return st.sampled_from(kind.values)
        case inspect.StrType() if kind.pattern:
            drawn = st.from_regex(kind.pattern.removesuffix("$").removesuffix(END), fullmatch=True)
            most = kind.max_length
            return drawn if most is None else drawn.filter(lambda text: len(text) <= most)
        case inspect.StrType():
            return st.text(
                min_size=kind.min_length or 0, max_size=min(MOST_CHARACTERS, kind.max_length or MOST_CHARACTERS)
            )
        case inspect.BytesType():
            return st.binary(max_size=MOST_CHARACTERS)
        case inspect.BoolType():
            return st.booleans()
        case inspect.IntType():
            return st.integers(SMALL if kind.ge is None else kind.ge, WIDE if kind.le is None else kind.le)
        case inspect.FloatType():
            return st.floats(kind.ge, kind.le, allow_nan=False, allow_infinity=False)
        case inspect.DateTimeType():
            return MOMENTS
        case inspect.DateType():
            return st.dates()
        case inspect.TimeType():
            return st.times()
        case inspect.NoneType():
            return st.none()
        case _:
            raise TypeError(f"expected a type that the language uses, found {kind}")


def _struct(kind: inspect.StructType, by_name: Mapping[str, Drawn]) -> Drawn:
    def drawn(field: inspect.Field) -> Drawn:
        return by_name[field.name] if field.name in by_name else _any(field.type, by_name)

    required = {field.name: drawn(field) for field in kind.fields if field.required}
    optional = {field.name: drawn(field) for field in kind.fields if not field.required}
    return st.fixed_dictionaries(required, optional=optional).map(lambda fields: kind.cls(**fields))
