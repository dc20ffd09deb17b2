import pytest
from traitlets.config import Config

from kubeai_notebook import settings
from kubeai_notebook.errors import UsageError
from kubeai_notebook.session.session import close_defaults, default


def source_of(found, name: str) -> tuple[str, str]:
    return next((one.value, one.source) for one in found if one.name == name)


def test_says_where_each_setting_comes_from(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEAI_ENDPOINT", "kubeai:80")
    found = run("%kubeai_config namespace=team")
    assert source_of(found, "namespace") == ("team", "this kernel")
    assert source_of(found, "default_profile") == ("cpu", "default")
    assert source_of(found, "endpoint") == ("kubeai:80", "$KUBEAI_ENDPOINT")
    assert "team" in repr(found)
    assert "<td" in found._repr_html_()


def test_names_ipythons_own_configuration(run, shell) -> None:
    shell.extension_manager.unload_extension("kubeai_notebook")
    shell.config = Config({"KubeAI": {"default_profile": "cpu-large"}})
    shell.extension_manager.load_extension("kubeai_notebook")
    assert source_of(run("%kubeai_config"), "default_profile") == ("cpu-large", "IPython's configuration")
    shell.config = Config()


def test_goes_back_to_the_default(run) -> None:
    run("%kubeai_config wait_timeout_seconds=3 namespace=team")
    assert settings.current().wait_timeout_seconds == 3
    run("%kubeai_config wait_timeout_seconds= namespace=")
    assert (settings.current().wait_timeout_seconds, settings.current().namespace) == (900.0, "")


@pytest.mark.parametrize("name", ["context", "endpoint", "kubeconfig", "namespace"])
def test_connects_anew_where_another_place_is_set(run, name: str) -> None:
    before = default()
    run(f"%config KubeAI.{name} = 'other'")
    assert default() is not before
    close_defaults()


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("nmespace=x", 'There is no setting "nmespace". Did you mean "namespace"?'),
        ("namespace", "Write it like %kubeai_config namespace=VALUE."),
        ("wait_timeout_seconds=soon", 'wait_timeout_seconds cannot be "soon". It is now 900.0.'),
    ],
)
def test_answers_a_mistake_with_one_sentence(run, line: str, sentence: str) -> None:
    with pytest.raises(UsageError) as raised:
        run(f"%kubeai_config {line}")
    assert sentence in str(raised.value)


def test_connects_anew_where_another_place_is_named(here) -> None:
    from kubeai_notebook.session.session import default

    before = default()
    here("%kubeai_config default_profile=cpu")
    assert default() is before
    here("%config KubeAI.namespace = 'team'")
    assert default() is not before
    here("%config KubeAI.namespace = ''")
