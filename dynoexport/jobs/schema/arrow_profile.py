"""Profiles of Arrow batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynoexport.jobs.arrow_library import arrow
from dynoexport.jobs.schema.dynamodb_json import ELEMENTS
from dynoexport.jobs.schema.profile import Profile, dump_profiles, update_profiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import pyarrow as pa


def present_children(values: pa.StructArray) -> Iterator[tuple[str, pa.Array]]:
    """The parts of an array of structs that have a value: values by type, or fields by name."""
    for struct_field, content in zip(values.type, values.flatten()):
        if content.null_count < len(content):
            yield struct_field.name, content


def update_profile(profile: Profile, values: pa.StructArray, limit: int) -> None:
    """``Profile.add`` for an array of values."""
    for code, content in present_children(values):
        count = len(content) - content.null_count
        if code == "N":
            update_numbers(profile, content)
            continue
        kind = "L" if code in ELEMENTS else code
        profile.counts[kind] = profile.counts.get(kind, 0) + count
        if kind == "L":
            update_elements(profile, code, content.flatten(), limit)
        elif kind == "M" and not profile.many:
            for name, inner in present_children(content):
                update_profile(profile.fields.setdefault(name, Profile()), inner, limit)
            profile.bound(limit)


def update_elements(profile: Profile, code: str, elements: pa.Array, limit: int) -> None:
    if profile.element is None:
        profile.element = Profile()
    if code == "NS":
        update_numbers(profile.element, elements)
    elif code in ELEMENTS:
        counts, kind = profile.element.counts, ELEMENTS[code]
        counts[kind] = counts.get(kind, 0) + len(elements)
    elif not arrow().types.is_null(elements.type):
        update_profile(profile.element, elements, limit)


# The form of all numbers in DynamoDB but very large and very small ones.
NUMBER = r"^-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]*[1-9])?$"


def update_numbers(profile: Profile, texts: pa.StringArray) -> None:
    pa = arrow()
    pc = pa.compute
    texts = texts.drop_null()
    if not len(texts):
        return
    ends = whole_ends(texts)
    if ends is None:
        usual = pc.match_substring_regex(texts, NUMBER)
        update_fractions(profile, texts.filter(usual))
        for text in texts.filter(pc.invert(usual)).to_pylist():
            profile.add({"N": text}, 0)
        return
    profile.counts["N"] = profile.counts.get("N", 0) + len(texts)
    digits = max(len(str(abs(end)).lstrip("0")) for end in ends.values())
    profile.digits = max(profile.digits, digits)


def whole_ends(texts: pa.StringArray) -> dict[str, int] | None:
    """The least and the greatest number; None if one is not a whole number of 64 bits."""
    pa = arrow()
    pc = pa.compute
    # For each text that it refuses, Arrow's cast writes a message: 50 times the cost of a number.
    if pc.any(pc.match_substring(texts, ".")).as_py():
        return None
    try:
        ends: dict[str, int] = pc.min_max(pc.cast(texts, pa.int64())).as_py()
    except pa.ArrowInvalid:
        return None
    return ends


def update_fractions(profile: Profile, texts: pa.StringArray) -> None:
    """Numbers of the usual form: digits and scale from the position of the point.

    Without a number of Python's: for each, Arrow imports pandas, half a second in each worker.
    """
    pa = arrow()
    pc = pa.compute
    if not len(texts):
        return
    texts = pc.ascii_ltrim(texts, characters="-")
    length, has_point = pc.binary_length(texts), pc.match_substring(texts, ".")
    is_whole = pc.invert(has_point)
    before = pc.if_else(has_point, pc.find_substring(texts, "."), length)
    behind = pc.subtract(pc.subtract(length, before), pc.cast(has_point, pa.int32()))
    before = pc.subtract(before, pc.cast(pc.starts_with(texts, "0"), pa.int32()))
    profile.digits = max(profile.digits, pc.max(before).as_py())
    profile.scale = max(profile.scale, pc.max(behind).as_py())
    whole = pc.sum(is_whole).as_py()
    for kind, count in (("N", whole), ("X", len(texts) - whole)):
        if count:
            profile.counts[kind] = profile.counts.get(kind, 0) + count


def profile_groups(
    groups: Iterable[str], read: Callable[[Iterable[str]], Iterable[Any]], limit: int
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """``profile_items`` for the batches that ``read`` finds in groups of pieces."""
    return profile_batches(read(groups), limit)


def profile_batches(
    batches: Iterable[list[dict[str, Any]] | pa.StructArray], limit: int
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """``profile_items`` for what ``read_piece`` gives."""
    profiles: dict[str, Profile] = {}
    number = 0
    for batch in batches:
        number += len(batch)
        if isinstance(batch, list):
            update_profiles(profiles, batch, limit)
            continue
        for name, values in present_children(batch):
            update_profile(profiles.setdefault(name, Profile()), values, limit)
    return dump_profiles(profiles, number)
