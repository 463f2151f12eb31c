"""Predicates: what no Spark can parse is refused before anything is deployed."""

from __future__ import annotations

import pytest

from dynoexport.cloudformation.predicate import PredicateRefused, check_predicate

# Each of them is refused by Spark's parser, too: tests/jobs/test_export_spark.py.
REFUSED = {
    "a'; DROP": "' is not closed",
    'a = "b': '" is not closed',
    "`a = 1": "` is not closed",
    "a = 'it\\' OR b": "' is not closed",
    "a = 1 /* why": "/* is not closed",
    "a = 1; b = 2": "it has a ;",
    "((a)": "a ) is missing",
    "a[0 = 1": "a ] is missing",
    "a = 1)": "a ) closes nothing",
    "f(a[1)]": "a ) closes nothing",
}
ACCEPTED = (
    "",
    "rating >= 4 AND author IS NOT NULL",
    "a = 'it''s; (' OR b = 'it\\'s' OR c = \"]'\"",
    "`a'(` = 1",
    "a RLIKE r'\\' OR bar = 'x'",
    "a = 1 -- it's (not",
    "a = 1 /* it's ; */",
    "size(filter(l, x -> x['k'][0] > 1)) > 0",
)


@pytest.mark.parametrize(("text", "why"), REFUSED.items())
def test_open_quote_or_bracket_is_refused(text: str, why: str) -> None:
    with pytest.raises(PredicateRefused) as refused:
        check_predicate(text)
    assert refused.value.what == f"Where is not a Spark SQL predicate: {why}"


@pytest.mark.parametrize("text", ACCEPTED)
def test_predicate_that_spark_parses_is_accepted(text: str) -> None:
    check_predicate(text)
