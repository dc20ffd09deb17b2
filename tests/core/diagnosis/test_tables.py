"""The rules as tables: every known code has a row, no other code exists, every sentence can be filled in."""

from kubeai_notebook.core.diagnosis.engine.case import Case
from kubeai_notebook.core.diagnosis.engine.remedies import filled
from kubeai_notebook.core.diagnosis.engine.rule import finding_of
from kubeai_notebook.core.diagnosis.engine.scene import Scene
from kubeai_notebook.core.diagnosis.engine.text_source import Passage
from kubeai_notebook.core.objects import Pod
from kubeai_notebook.core.observation import Observation

from .rules import CODES, rules
from .scenes import NOW

# Known in every Observation, whatever it lacks.
ALWAYS = {"name": "m", "place": "the cluster"}


def test_has_a_rule_for_every_code_and_no_other_code():
    assert {rule.code for rule in rules()} == set(CODES)


def test_can_say_every_rule_without_any_value_from_the_text():
    # These are made with their values at hand, never without.
    given = {"why": "x", "profile": "x", "written": "x", "cache_profile": "x", "engine": "x", "operator_ns": "x"}
    silent = [rule.code for rule in rules() if filled(rule.message[-1:], ALWAYS | given) is None]
    assert silent == []


def test_every_rule_has_a_fix_even_where_it_could_read_no_value():
    made = {"metadata": {"name": "m", "namespace": "ai"}, "spec": {"engine": "Infinity", "url": "pvc://c"}}
    case = Case(Scene(Observation(model=made), NOW), Passage("log", "p", ("x",)), 0, Pod({"metadata": {"name": "p"}}))
    # The first waits; the others are made from the Model or Pod that they name.
    exempt = {"WaitingForNode", "ReservedArgument", "RolloutStuck"}
    assert [rule.code for rule in rules() if rule.code not in exempt and not finding_of(rule, case).remedies] == []


def test_fragments_are_long_enough_to_mean_something():
    shortest = min((fragment for rule in rules() for fragment in rule.seen), key=len)
    assert len(shortest) >= 5
