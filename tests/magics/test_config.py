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
        (
            "wait_timeout_seconds=soon",
            'wait_timeout_seconds cannot be "soon". It is a number from 0 up, and now 900.0.',
        ),
        ("show_waiting=maybe", 'show_waiting cannot be "maybe". It is true or false, and now True.'),
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


def test_says_where_one_works_without_connecting(run, kubeconfig, monkeypatch: pytest.MonkeyPatch) -> None:
    path = kubeconfig("https://127.0.0.1:1", "https://127.0.0.1:2")
    monkeypatch.setenv("KUBECONFIG", path)
    shown = run("%kubeai_config")
    assert source_of(shown, "context") == ("a", "current-context of the kubeconfig")
    assert source_of(shown, "cluster") == ("a", "current-context of the kubeconfig")
    assert source_of(shown, "server") == ("https://127.0.0.1:1", "the kubeconfig")
    assert source_of(shown, "login") == ("u, by a token", "the kubeconfig")
    assert source_of(shown, "namespace") == ("default", "the context")
    assert source_of(shown, "kubeconfig") == (path, "$KUBECONFIG")
    assert source_of(run("%kubeai_config context=b"), "server") == ("https://127.0.0.1:2", "the kubeconfig")
    assert source_of(run("%kubeai_config context=b"), "context") == ("b", "this kernel")


def test_says_that_it_is_this_machine_where_nothing_is_configured(run, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    shown = run("%kubeai_config")
    assert source_of(shown, "context") == ("local", "there is no kubeconfig")
    assert source_of(shown, "cluster") == ("this machine", "there is no kubeconfig")


def test_says_what_is_wrong_with_the_kubeconfig_in_place_of_the_cluster(run, tmp_path, monkeypatch) -> None:
    (tmp_path / "config").write_text("not: [yaml")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    assert "has broken YAML in line 1" in source_of(run("%kubeai_config"), "cluster")[0]


@pytest.mark.parametrize(
    ("line", "sentences"),
    [
        ("context=nope", ['no context "nope"; there is a, b', "Nothing was changed."]),
        ("kubeconfig=/nowhere/config", ["There is no kubeconfig /nowhere/config.", "Nothing was changed."]),
        ("wait_timeout_seconds=-1", ['wait_timeout_seconds cannot be "-1". It is a number from 0 up, and now 900.0.']),
        ("wait_timeout_seconds=nan", ['wait_timeout_seconds cannot be "nan"']),
        ("namespace=My_Team", ['No namespace can be called "My_Team".']),
        ("default_profile=gpu context=nope", ["Nothing was changed."]),
    ],
)
def test_refuses_at_once_what_could_never_be_used(run, kubeconfig, monkeypatch, line: str, sentences) -> None:
    monkeypatch.setenv("KUBECONFIG", kubeconfig("https://127.0.0.1:1", "https://127.0.0.1:2"))
    before = settings.current()
    with pytest.raises(UsageError) as raised:
        run(f"%kubeai_config {line}")
    assert [sentence for sentence in sentences if sentence not in str(raised.value)] == []
    assert settings.current() == before


def test_names_this_machine_where_no_kubeconfig_has_the_context(run, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    with pytest.raises(UsageError) as raised:
        run("%kubeai_config context=nowhere")
    assert str(raised.value) == (
        'There is no kubeconfig to find the context "nowhere" in. Nothing was changed. '
        "%kubeai_config shows what is in effect; %kubeai_config context=local means this machine."
    )
